import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type Deployment, METRICS } from './deployment';
import type { Arch } from './settings';
import { acknowledgeWildcard } from './wildcards';

export interface RustFunctionProps {
  /** The function's name after the deployment's prefix. */
  readonly name: string;
  readonly description: string;
  /** The zip's name in the artifacts directory. */
  readonly zip: string;
  /** The service that its logs, metrics and traces name. */
  readonly service: string;
  readonly memoryMb: number;
  readonly timeout: Duration;
  readonly variables: Readonly<Record<string, string>>;
  /** Takes an event that failed on every attempt. */
  readonly deadLetters: sqs.IQueue;
}

/**
 * A function of the family: a Rust `bootstrap` on `provided.al2023`, with a log group and a role of its own.
 *
 * The role starts with what every function needs (its log group, its dead-letter queue, X-Ray) as statements
 * of its own. AWS's managed policies for the same would let it write to every log group of the account.
 */
export class RustFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, on: Deployment, props: RustFunctionProps) {
    super(scope, id);
    const functionName = `${on.prefix}-${props.name}`;

    // Made before the function: a group that Lambda makes at the first invocation would be kept for ever.
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: on.config.logRetentionDays as logs.RetentionDays,
      // The name is fixed, so a group left behind would stop the next deployment.
      removalPolicy: RemovalPolicy.DESTROY,
    });

    this.role = new iam.Role(this, 'Role', {
      description: `What ${functionName} may do`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    });
    this.role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    this.role.addToPolicy(
      new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [props.deadLetters.queueArn] }),
    );

    const { arch, artifacts, local, xrayDaemon } = on.settings;
    this.function = new lambda.Function(this, 'Function', {
      functionName,
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture: arch === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      code: zipped(path.join(artifacts, props.zip)),
      role: this.role,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON, // the service reads the level and the time of each line
      memorySize: props.memoryMb,
      timeout: props.timeout,
      tracing: lambda.Tracing.ACTIVE, // also adds the two X-Ray actions to the role
      environment: {
        OBS_SERVICE_NAME: props.service,
        OBS_ENVIRONMENT: on.environment,
        OBS_METRICS_NAMESPACE: METRICS.namespace,
        OBS_LOG_LEVEL: 'info',
        ...props.variables,
        ...(local && xrayDaemon && { AWS_XRAY_DAEMON_ADDRESS: xrayDaemon }),
      },
    });
    this.function.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(1),
      // The CDK's SqsDestination grants reading the queue's attributes too, which Lambda does not need.
      onFailure: { bind: () => ({ destination: props.deadLetters.queueArn }) },
    });

    acknowledgeWildcard(
      this.role,
      '*',
      'X-Ray has no resources to name: PutTraceSegments and PutTelemetryRecords take only *.',
    );
  }
}

/**
 * A zip as an asset, named by its content. The CDK's own way would look into a cache in the home folder, by inode,
 * time and size: a reproducible build that sets the time of its zip could be taken for the one before.
 */
function zipped(file: string): lambda.Code {
  const assetHash = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  return lambda.Code.fromAsset(file, { assetHash });
}

/** Dollars that a second of the function costs: the price of a GB-second (us-east-1, first tier) by its memory. */
export function costPerSecond(arch: Arch, memoryMb: number): string {
  const perGbSecond = arch === 'arm64' ? 0.0000133334 : 0.0000166667;
  return ((perGbSecond * memoryMb) / 1024).toFixed(12);
}
