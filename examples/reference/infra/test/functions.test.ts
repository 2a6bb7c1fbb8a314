import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { Template } from 'aws-cdk-lib/assertions';
import { build, only, synthesize, temporaryFolder, writeZips } from './synthesized';

describe('the functions', () => {
  test('run a Rust bootstrap, are traced, and wait for their log group and their permissions', () => {
    const { template } = synthesize('dev');
    for (const name of ['pipeline', 'alert-processor']) {
      const made = only(template, 'AWS::Lambda::Function', { FunctionName: `obs-reference-dev-${name}` });
      const logGroup = only(template, 'AWS::Logs::LogGroup', { LogGroupName: `/aws/lambda/obs-reference-dev-${name}` });
      assert.equal(made.Properties.Runtime, 'provided.al2023');
      assert.equal(made.Properties.Handler, 'bootstrap');
      assert.deepEqual(made.Properties.Architectures, ['x86_64']);
      assert.deepEqual(made.Properties.TracingConfig, { Mode: 'Active' });
      assert.deepEqual(made.Properties.LoggingConfig, { LogFormat: 'JSON', LogGroup: { Ref: logGroup.id } });
      const role = made.Properties.Role['Fn::GetAtt'][0] as string;
      const base = Object.keys(template.findResources('AWS::IAM::Policy')).find((id) =>
        id.startsWith(`${role.slice(0, -8)}Default`),
      );
      assert.ok(
        base !== undefined && made.DependsOn?.includes(base),
        `${name} waits for ${JSON.stringify(made.DependsOn)}`,
      );
    }
  });

  test('keep their logs for 7, 30 and 90 days', () => {
    for (const [environment, days] of [
      ['dev', 7],
      ['staging', 30],
      ['prod', 90],
    ] as const) {
      const groups = Object.values(synthesize(environment).template.findResources('AWS::Logs::LogGroup'));
      assert.deepEqual(
        groups.map((group) => group.Properties.RetentionInDays),
        [days, days],
      );
      assert.deepEqual(
        groups.map((group) => group.DeletionPolicy),
        ['Delete', 'Delete'],
      );
    }
  });

  test('are made for arm64 when told', () => {
    const { template } = synthesize('dev', { arch: 'arm64' });
    for (const made of Object.values(template.findResources('AWS::Lambda::Function'))) {
      assert.deepEqual(made.Properties.Architectures, ['arm64']);
    }
  });

  test('are new assets when their zip is another, even one of the same size and time', () => {
    const artifacts = temporaryFolder();
    const keys = ['one', 'two'].map((content) => {
      writeZips(artifacts, content);
      for (const zip of fs.readdirSync(artifacts)) {
        fs.utimesSync(path.join(artifacts, zip), 0, 0);
      }
      const template = Template.fromStack(build('dev', { artifacts }).stack);
      const made = Object.values(template.findResources('AWS::Lambda::Function'));
      return made.map(({ Properties }) => Properties.Code.S3Key as string);
    });
    assert.equal(new Set(keys.flat()).size, 4);
  });

  test('name no variable that Lambda reserves', () => {
    for (const made of Object.values(synthesize('prod').template.findResources('AWS::Lambda::Function'))) {
      assert.deepEqual(
        Object.keys(made.Properties.Environment.Variables).filter((name) => /^(AWS_|_)/.test(name)),
        [],
      );
    }
  });
});

describe('the stack', () => {
  test('has the outputs that the driver reads', () => {
    assert.deepEqual(Object.keys(synthesize('dev').template.findOutputs('*')).sort(), [
      'AlertProcessorDlqUrl',
      'AlertProcessorFunctionName',
      'AlertProcessorLogGroup',
      'BucketName',
      'BusName',
      'PipelineDlqUrl',
      'PipelineFunctionName',
      'PipelineLogGroup',
      'ProcessingErrorsAlarm',
      'TopicArnCritical',
      'TopicArnHigh',
      'TopicArnLow',
      'TopicArnMedium',
    ]);
  });

  test('tags what it makes with the application and the environment', () => {
    const { template } = synthesize('staging');
    const tags = only(template, 'AWS::Events::EventBus').Properties.Tags;
    assert.deepEqual(tags, [
      { Key: 'Application', Value: 'obs-reference' },
      { Key: 'Environment', Value: 'staging' },
      { Key: 'ManagedBy', Value: 'cdk' },
    ]);
    for (const type of [
      'AWS::S3::Bucket',
      'AWS::Lambda::Function',
      'AWS::SNS::Topic',
      'AWS::SQS::Queue',
      'AWS::KMS::Key',
    ]) {
      for (const resource of Object.values(template.findResources(type))) {
        for (const tag of tags) {
          assert.ok(
            resource.Properties.Tags.some(
              (own: { Key: string; Value: string }) => own.Key === tag.Key && own.Value === tag.Value,
            ),
            `${type} has no tag ${tag.Key}`,
          );
        }
      }
    }
  });
});
