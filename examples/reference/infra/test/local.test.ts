import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { App, CfnResource, Stack } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Template } from 'aws-cdk-lib/assertions';
import { leaveOut, UNKNOWN_TYPES, WITHOUT_EFFECT, writeOmissions } from '../lib/local-backend';
import { only, synthesize, temporaryFolder } from './synthesized';

interface AssetEntry {
  readonly type: string;
  readonly data: Record<string, string>;
}

describe('for an account', () => {
  const { app, template } = synthesize('dev');

  test('assets go to the bootstrap bucket: no parameter but the version of the bootstrap stack', () => {
    assert.deepEqual(Object.keys(template.findParameters('*')), ['BootstrapVersion']);
    const { Code } = only(template, 'AWS::Lambda::Function', { FunctionName: 'obs-reference-dev-pipeline' }).Properties;
    assert.match(Code.S3Bucket['Fn::Sub'], /^cdk-.*-assets-/);
    assert.match(Code.S3Key, /^[0-9a-f]{64}\.zip$/);
    assert.ok(fs.existsSync(path.join(app.synth().directory, 'obs-reference-dev.assets.json')));
  });
});

describe('for the local backend', () => {
  const { app, template } = synthesize('dev', { local: true });

  test('each function is a parameter for its bucket and one for its key, as the assembly says', () => {
    const { directory } = app.synth();
    const read = (file: string) => JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8'));
    const artifact = read('manifest.json').artifacts['obs-reference-dev'];
    assert.equal(artifact.type, 'aws:cloudformation:stack');
    assert.ok(fs.existsSync(path.join(directory, artifact.properties.templateFile)));

    const metadata = read(artifact.additionalMetadataFile)['/obs-reference-dev'] as AssetEntry[];
    const assets = metadata.filter((entry) => entry.type === 'aws:cdk:asset').map((entry) => entry.data);
    assert.equal(assets.length, 2);
    const parameters = template.findParameters('*');
    assert.equal(Object.keys(parameters).length, 6);
    for (const asset of assets) {
      assert.equal(asset.packaging, 'file');
      assert.ok(fs.existsSync(path.join(directory, asset.path ?? '')), asset.path);
      for (const name of ['s3BucketParameter', 's3KeyParameter', 'artifactHashParameter']) {
        assert.equal(parameters[asset[name] ?? '']?.Type, 'String', name);
      }
      const key = asset.s3KeyParameter;
      const half = (index: number) => ({ 'Fn::Select': [index, { 'Fn::Split': ['||', { Ref: key }] }] });
      only(template, 'AWS::Lambda::Function', {
        Code: { S3Bucket: { Ref: asset.s3BucketParameter }, S3Key: { 'Fn::Join': ['', [half(0), half(1)]] } },
      });
    }
  });

  test('the stack has the same resources as for an account', () => {
    const types = (from: Template) =>
      Object.values(from.toJSON().Resources as Record<string, { Type: string }>)
        .map(({ Type }) => Type)
        .sort();
    const unknown = new Set(UNKNOWN_TYPES.map(({ type }) => type));
    assert.deepEqual(
      types(template),
      types(synthesize('dev').template).filter((type) => !unknown.has(type)),
    );
  });

  test('functions are told where the X-Ray daemon is, if it is said', () => {
    const variables = (from: Template) =>
      Object.values(from.findResources('AWS::Lambda::Function')).map(
        ({ Properties }) => Properties.Environment.Variables,
      );
    for (const found of variables(template)) {
      assert.equal(found.AWS_XRAY_DAEMON_ADDRESS, undefined);
    }
    for (const found of variables(synthesize('dev', { local: true, xrayDaemon: '127.0.0.1:2000' }).template)) {
      assert.equal(found.AWS_XRAY_DAEMON_ADDRESS, '127.0.0.1:2000');
    }
  });

  test('a runbook link is the file itself', () => {
    const link = only(template, 'AWS::SSM::Parameter', { Name: '/obs-reference/dev/runbooks/data-quality' });
    assert.match(fs.readFileSync(fileURLToPath(link.Properties.Value), 'utf8'), /^# Data quality/);
    const alarm = only(template, 'AWS::CloudWatch::Alarm').Properties.AlarmDescription;
    assert.match(alarm, /file:\/\/\/.*\/runbooks\/processing-errors\.md$/);
  });
});

describe('what the local backend cannot do', () => {
  test('a type that it does not know is taken out, the others stay', () => {
    const stack = new Stack(new App(), 'Some');
    new CfnResource(stack, 'Group', { type: 'AWS::XRay::Group' });
    new sqs.Queue(stack, 'Queue');
    leaveOut(stack, [{ type: 'AWS::XRay::Group', reason: 'unknown' }]);
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::XRay::Group', 0);
    template.resourceCountIs('AWS::SQS::Queue', 1);
  });

  test('is written as a list of types and reasons, for a local synthesis only', () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'local-omissions.json');
    writeOmissions(folder, true);
    const written = JSON.parse(fs.readFileSync(file, 'utf8'));
    assert.deepEqual(written, [...UNKNOWN_TYPES, ...WITHOUT_EFFECT]);
    for (const { type, reason } of written) {
      assert.match(type, /^AWS::\w+::\w+/);
      assert.ok(reason.length > 20);
    }
    writeOmissions(folder, false);
    assert.ok(!fs.existsSync(file));
  });

  test('names types that the stack has', () => {
    const types = new Set(
      Object.values(synthesize('prod').template.toJSON().Resources as Record<string, { Type: string }>).map(
        ({ Type }) => Type,
      ),
    );
    for (const { type } of WITHOUT_EFFECT) {
      for (const name of type.match(/AWS::\w+::\w+/g) ?? []) {
        assert.ok(types.has(name), name);
      }
    }
  });
});
