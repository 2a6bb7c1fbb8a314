import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { costPerSecond } from '../lib/rust-function';
import { only, synthesize } from './synthesized';

const INPUT_LIFECYCLE = 'input-moves-to-colder-storage';
const DATA_BUCKET = { NotificationConfiguration: Match.anyValue() };

describe('the bucket', () => {
  const { template } = synthesize('dev');
  const bucket = only(template, 'AWS::S3::Bucket', DATA_BUCKET);
  const pipeline = only(template, 'AWS::Lambda::Function', { FunctionName: 'obs-reference-dev-pipeline' });

  test('starts the pipeline for new objects under incoming/ and for nothing else', () => {
    assert.deepEqual(bucket.Properties.NotificationConfiguration, {
      LambdaConfigurations: [
        {
          Event: 's3:ObjectCreated:*',
          Function: { 'Fn::GetAtt': [pipeline.id, 'Arn'] },
          Filter: { S3Key: { Rules: [{ Name: 'prefix', Value: 'incoming/' }] } },
        },
      ],
    });
  });

  test('is made after S3 was permitted to start the pipeline, and only for this account and stack', () => {
    const permission = only(template, 'AWS::Lambda::Permission', { Principal: 's3.amazonaws.com' });
    assert.ok(bucket.DependsOn?.includes(permission.id), JSON.stringify(bucket.DependsOn));
    assert.deepEqual(permission.Properties, {
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': [pipeline.id, 'Arn'] },
      Principal: 's3.amazonaws.com',
      SourceAccount: { Ref: 'AWS::AccountId' },
      SourceArn: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::obs-reference-dev-*']] },
    });
  });

  test('is connected by its own property: no helper function, no custom resource', () => {
    template.resourceCountIs('AWS::Lambda::Function', 2);
    assert.deepEqual(
      Object.values(template.toJSON().Resources as Record<string, { Type: string }>)
        .map((resource) => resource.Type)
        .filter((type) => type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource'),
      [],
    );
  });

  test('is encrypted, closed to the public, and read only over TLS', () => {
    assert.deepEqual(bucket.Properties.BucketEncryption, {
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    });
    assert.deepEqual(bucket.Properties.PublicAccessBlockConfiguration, {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      Bucket: { Ref: bucket.id },
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Principal: { AWS: '*' },
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      },
    });
  });

  test('moves input to colder storage after 30 and 90 days, and drops everything after 365', () => {
    const [input, everything, ...others] = bucket.Properties.LifecycleConfiguration.Rules;
    assert.equal(input.Id, INPUT_LIFECYCLE);
    assert.equal(input.Prefix, 'incoming/');
    assert.deepEqual(input.Transitions, [
      { StorageClass: 'STANDARD_IA', TransitionInDays: 30 },
      { StorageClass: 'GLACIER', TransitionInDays: 90 },
    ]);
    assert.equal(everything.ExpirationInDays, 365);
    assert.equal(everything.Prefix, undefined);
    assert.equal(everything.AbortIncompleteMultipartUpload.DaysAfterInitiation, 7);
    assert.deepEqual(others, []);
  });

  test('goes with the stack in dev; in staging and prod it stays, keeps versions and logs its accesses', () => {
    assert.equal(bucket.DeletionPolicy, 'Delete');
    template.resourceCountIs('AWS::S3::Bucket', 1);
    for (const environment of ['staging', 'prod'] as const) {
      const kept = synthesize(environment).template;
      const data = only(kept, 'AWS::S3::Bucket', DATA_BUCKET);
      const logs = only(kept, 'AWS::S3::Bucket', { NotificationConfiguration: Match.absent() });
      assert.equal(data.DeletionPolicy, 'RetainExceptOnCreate');
      assert.deepEqual(data.Properties.VersioningConfiguration, { Status: 'Enabled' });
      assert.deepEqual(data.Properties.LoggingConfiguration, { DestinationBucketName: { Ref: logs.id } });
      assert.equal(logs.DeletionPolicy, 'RetainExceptOnCreate');
      kept.hasResourceProperties('AWS::S3::BucketPolicy', {
        Bucket: { Ref: logs.id },
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({ Effect: 'Allow', Principal: { Service: 'logging.s3.amazonaws.com' } }),
          ]),
        },
      });
    }
  });
});

describe('the pipeline', () => {
  test('is told where alerts go, which pipeline it is, and when quality is too low', () => {
    for (const [environment, threshold] of [
      ['dev', '95'],
      ['staging', '95'],
      ['prod', '98'],
    ] as const) {
      const { template } = synthesize(environment);
      const bus = only(template, 'AWS::Events::EventBus');
      const pipeline = only(template, 'AWS::Lambda::Function', {
        FunctionName: `obs-reference-${environment}-pipeline`,
      });
      assert.deepEqual(pipeline.Properties.Environment.Variables, {
        OBS_SERVICE_NAME: 'data-pipeline',
        OBS_ENVIRONMENT: environment,
        OBS_METRICS_NAMESPACE: 'Application/DataPipeline',
        OBS_LOG_LEVEL: 'info',
        OBS_ALERTS_BUS: { Ref: bus.id },
        OBS_ALERTS_SOURCE: 'myapp.alerts',
        PIPELINE_NAME: 'movies',
        QUALITY_THRESHOLD: threshold,
        REVENUE_FIELD: 'Worldwide Gross',
        COST_PER_SECOND: '0.000008333350',
      });
    }
  });

  test('costs what its memory and processor cost', () => {
    assert.equal(costPerSecond('x86_64', 1024), '0.000016666700');
    assert.equal(costPerSecond('arm64', 512), '0.000006666700');
  });
});
