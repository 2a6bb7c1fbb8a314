import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Template } from 'aws-cdk-lib/assertions';
import { only, synthesize } from './synthesized';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/** What the role of a function may do: `action on resource`, references written as `<Id.Attribute>`. */
function permissions(template: Template, functionName: string): string[] {
  const role = only(template, 'AWS::Lambda::Function', { FunctionName: functionName }).Properties.Role['Fn::GetAtt'][0];
  const statements = Object.values(template.findResources('AWS::IAM::Policy'))
    .filter((policy) => policy.Properties.Roles.some((attached: { Ref: string }) => attached.Ref === role))
    .flatMap((policy) => policy.Properties.PolicyDocument.Statement as Statement[]);
  return statements
    .flatMap((statement) => {
      assert.equal(statement.Effect, 'Allow');
      const resources = Array.isArray(statement.Resource) ? statement.Resource : [statement.Resource];
      return [statement.Action].flat().flatMap((action) => resources.map((on) => `${action} on ${flat(on)}`));
    })
    .sort();
}

/** Logical ids end in eight characters of hash, which say nothing to a reader. */
function flat(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  const reference = value as { Ref?: string; 'Fn::GetAtt'?: string[]; 'Fn::Join'?: [string, unknown[]] };
  const name = (id: string) => id.replace(/[0-9A-F]{8}$/, '');
  if (reference.Ref) {
    return `<${name(reference.Ref)}>`;
  }
  if (reference['Fn::GetAtt']) {
    const [id, attribute] = reference['Fn::GetAtt'];
    return `<${name(id ?? '')}.${attribute}>`;
  }
  if (reference['Fn::Join']) {
    return reference['Fn::Join'][1].map(flat).join(reference['Fn::Join'][0]);
  }
  throw new Error(`an unknown kind of reference: ${JSON.stringify(value)}`);
}

describe('permissions', () => {
  const { template } = synthesize('dev');

  test('the pipeline reads input, writes results, publishes alerts, and does nothing else', () => {
    assert.deepEqual(permissions(template, 'obs-reference-dev-pipeline'), [
      'events:PutEvents on <AlertingBus.Arn>',
      'logs:CreateLogStream on <IngestPipelineLogs.Arn>',
      'logs:PutLogEvents on <IngestPipelineLogs.Arn>',
      's3:GetObject on <IngestBucket.Arn>/incoming/*',
      's3:ListBucket on <IngestBucket.Arn>',
      's3:PutObject on <IngestBucket.Arn>/failed/*',
      's3:PutObject on <IngestBucket.Arn>/processed/*',
      's3:PutObject on <IngestBucket.Arn>/rejected/*',
      'sqs:SendMessage on <IngestDeadLetters.Arn>',
      'xray:PutTelemetryRecords on *',
      'xray:PutTraceSegments on *',
    ]);
  });

  test('the alert processor reads runbook links, publishes to the four topics, and does nothing else', () => {
    const topics = ['critical', 'high', 'low', 'medium'].map(
      (severity) => `sns:Publish on <AlertingTopics${severity}>`,
    );
    assert.deepEqual(permissions(template, 'obs-reference-dev-alert-processor'), [
      'kms:Decrypt on <AlertingTopicsKey.Arn>',
      'kms:GenerateDataKey on <AlertingTopicsKey.Arn>',
      'logs:CreateLogStream on <AlertingProcessorLogs.Arn>',
      'logs:PutLogEvents on <AlertingProcessorLogs.Arn>',
      ...topics,
      'sqs:SendMessage on <AlertingDeadLetters.Arn>',
      'ssm:GetParameter on arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/obs-reference/dev/runbooks/*',
      'xray:PutTelemetryRecords on *',
      'xray:PutTraceSegments on *',
    ]);
  });

  test('roles are for Lambda only, and carry no policy that AWS or anybody else manages', () => {
    const roles = Object.values(template.findResources('AWS::IAM::Role'));
    assert.equal(roles.length, 2);
    for (const { Properties } of roles) {
      assert.equal(Properties.ManagedPolicyArns, undefined);
      assert.equal(Properties.Policies, undefined);
      assert.deepEqual(Properties.AssumeRolePolicyDocument.Statement, [
        { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
      ]);
    }
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
  });
});
