import { Aws, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as events from 'aws-cdk-lib/aws-events';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue';
import { ALERT_EVENT, type Deployment, METRICS } from './deployment';
import { costPerSecond, RustFunction } from './rust-function';
import { ZIPS } from './settings';
import { acknowledgeWildcard } from './wildcards';

/** Input arrives here, and only here does an object start the pipeline: its own results never do. */
const INPUT_PREFIX = 'incoming/';
/** Results, refused records, and a note for each file that could not be used. */
const OUTPUT_PREFIXES = ['processed/', 'rejected/', 'failed/'];

const MEMORY_MB = 512;

/**
 * Object in, result out: the bucket and the pipeline function.
 *
 * CloudFormation has to create three things in an order, because S3 tries the permission when it is told
 * about the notification:
 *
 *     function ──► permission for S3 ──► bucket with its notification ──► the role's access to the bucket
 *
 * So neither the permission nor the role that the function waits for may name the bucket. The permission
 * names this account and the start that CloudFormation gives the bucket's name; the access to the bucket is
 * a policy apart, made last.
 */
export class Ingest extends Construct {
  readonly bucket: s3.Bucket;
  readonly pipeline: RustFunction;
  readonly deadLetters: DeadLetterQueue;

  constructor(scope: Construct, id: string, on: Deployment, bus: events.IEventBus) {
    super(scope, id);
    this.deadLetters = new DeadLetterQueue(this, 'DeadLetters', `${on.prefix}-pipeline-dlq`);
    this.pipeline = this.addPipeline(on, bus);
    this.bucket = this.addBucket(on);
    this.connect();
    this.grantBucket();
  }

  private addPipeline(on: Deployment, bus: events.IEventBus): RustFunction {
    const pipeline = new RustFunction(this, 'Pipeline', on, {
      name: 'pipeline',
      description: 'Reads a data file, checks and sums up its records, and reports on its quality',
      zip: ZIPS.pipeline,
      service: METRICS.service,
      memoryMb: MEMORY_MB,
      timeout: Duration.minutes(1),
      deadLetters: this.deadLetters,
      variables: {
        OBS_ALERTS_BUS: bus.eventBusName,
        OBS_ALERTS_SOURCE: ALERT_EVENT.source,
        PIPELINE_NAME: METRICS.pipeline,
        QUALITY_THRESHOLD: String(on.config.qualityThreshold),
        REVENUE_FIELD: 'Worldwide Gross',
        COST_PER_SECOND: costPerSecond(on.settings.arch, MEMORY_MB),
      },
    });
    pipeline.role.addToPolicy(new iam.PolicyStatement({ actions: ['events:PutEvents'], resources: [bus.eventBusArn] }));
    return pipeline;
  }

  private addBucket(on: Deployment): s3.Bucket {
    const removalPolicy = on.config.keepData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
    const guarded = {
      // S3's own key: nobody but this account's roles reads the bucket, so a key of our own would only add
      // its price, a call per object and one more policy to keep right.
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy,
    };
    const accessLogs = on.config.keepData
      ? new s3.Bucket(this, 'AccessLogs', {
          ...guarded,
          lifecycleRules: [{ expiration: Duration.days(on.config.logRetentionDays) }],
        })
      : undefined;
    const bucket = new s3.Bucket(this, 'Bucket', {
      ...guarded,
      versioned: on.config.keepData,
      ...(accessLogs && { serverAccessLogsBucket: accessLogs }),
      lifecycleRules: [
        {
          id: 'input-moves-to-colder-storage',
          prefix: INPUT_PREFIX,
          // Only the input: it is large and read once. Results are small (below the 128 KiB that S3 moves at
          // all), and a person who looks at one must not have to restore it from Glacier first.
          transitions: [
            { storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(30) },
            { storageClass: s3.StorageClass.GLACIER, transitionAfter: Duration.days(90) },
          ],
        },
        {
          id: 'everything-ends',
          expiration: Duration.days(365),
          abortIncompleteMultipartUploadAfter: Duration.days(7),
          ...(on.config.keepData && { noncurrentVersionExpiration: Duration.days(30) }),
        },
      ],
    });
    if (accessLogs === undefined) {
      Validations.of(bucket).acknowledge({
        id: 'AwsSolutions-S1',
        reason: `In ${on.environment} the data goes with the stack, and a log of who read it has no reader.`,
      });
    }
    return bucket;
  }

  /** Bucket → function by the bucket's own property: the CDK's construct for it deploys a helper function. */
  private connect(): void {
    const permission = new lambda.CfnPermission(this, 'BucketMayInvoke', {
      action: 'lambda:InvokeFunction',
      functionName: this.pipeline.function.functionArn,
      principal: 's3.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: `arn:${Aws.PARTITION}:s3:::${Stack.of(this).stackName}-*`,
    });
    const bucket = this.bucket.node.defaultChild as s3.CfnBucket;
    bucket.notificationConfiguration = {
      lambdaConfigurations: [
        {
          event: 's3:ObjectCreated:*',
          function: this.pipeline.function.functionArn,
          filter: { s3Key: { rules: [{ name: 'prefix', value: INPUT_PREFIX }] } },
        },
      ],
    };
    bucket.addResourceDependency(permission);
  }

  private grantBucket(): void {
    const objects = (prefix: string) => this.bucket.arnForObjects(`${prefix}*`);
    const access = new iam.Policy(this, 'BucketAccess', {
      roles: [this.pipeline.role],
      statements: [
        new iam.PolicyStatement({ actions: ['s3:GetObject'], resources: [objects(INPUT_PREFIX)] }),
        new iam.PolicyStatement({ actions: ['s3:PutObject'], resources: OUTPUT_PREFIXES.map(objects) }),
        // Without it S3 answers "access denied" for an object that is not there, and the pipeline could not
        // tell a deleted file from a missing permission. S3 asks without a prefix, so none can be required.
        new iam.PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.bucket.bucketArn] }),
      ],
    });
    const bucketId = Stack.of(this).resolve((this.bucket.node.defaultChild as s3.CfnBucket).logicalId);
    for (const prefix of [INPUT_PREFIX, ...OUTPUT_PREFIXES]) {
      const reason = 'The names of the files are not known before they arrive.';
      acknowledgeWildcard(access, `<${bucketId}.Arn>/${prefix}*`, reason);
    }
  }
}
