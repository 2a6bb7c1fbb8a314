import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { only, synthesize } from './synthesized';

const SEVERITIES = ['critical', 'high', 'medium', 'low'];

describe('the rule', () => {
  const { template } = synthesize('dev');
  const rule = only(template, 'AWS::Events::Rule');

  /** As EventBridge matches a pattern of lists: each field has to have one of its values. */
  function matches(event: Record<string, string>): boolean {
    return Object.entries(rule.Properties.EventPattern as Record<string, string[]>).every(([field, values]) =>
      values.includes(event[field] ?? ''),
    );
  }

  test('matches what the SDK publishes, and nothing else', () => {
    const published = { source: 'myapp.alerts', 'detail-type': 'Business Alert' };
    assert.ok(matches(published));
    assert.ok(matches({ ...published, 'detail-type': 'Alerts Lost' }));
    assert.ok(!matches({ ...published, source: 'aws.s3' }));
    assert.ok(!matches({ ...published, 'detail-type': 'Scheduled Event' }));
  });

  test('listens on the bus that the pipeline publishes to', () => {
    const bus = only(template, 'AWS::Events::EventBus', { Name: 'obs-reference-dev' });
    assert.deepEqual(rule.Properties.EventBusName, { Ref: bus.id });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ OBS_ALERTS_BUS: { Ref: bus.id } }) },
    });
  });

  test('starts the alert processor, tries again, and keeps what could not be delivered', () => {
    const processor = only(template, 'AWS::Lambda::Function', { FunctionName: 'obs-reference-dev-alert-processor' });
    const queue = only(template, 'AWS::SQS::Queue', { QueueName: 'obs-reference-dev-alert-processor-dlq' });
    const [target, ...others] = rule.Properties.Targets;
    assert.deepEqual(target.Arn, { 'Fn::GetAtt': [processor.id, 'Arn'] });
    assert.deepEqual(target.DeadLetterConfig, { Arn: { 'Fn::GetAtt': [queue.id, 'Arn'] } });
    assert.deepEqual(target.RetryPolicy, { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 8 });
    assert.deepEqual(others, []);
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'events.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [processor.id, 'Arn'] },
      SourceArn: { 'Fn::GetAtt': [rule.id, 'Arn'] },
    });
    template.hasResourceProperties('AWS::SQS::QueuePolicy', {
      Queues: [{ Ref: queue.id }],
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Allow',
            Action: 'sqs:SendMessage',
            Principal: { Service: 'events.amazonaws.com' },
            Condition: { ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [rule.id, 'Arn'] } } },
          }),
        ]),
      },
    });
  });
});

describe('the dead-letter queues', () => {
  const { template } = synthesize('dev');

  for (const name of ['pipeline', 'alert-processor']) {
    test(`the one of ${name} takes what its function failed on three times`, () => {
      const queue = only(template, 'AWS::SQS::Queue', { QueueName: `obs-reference-dev-${name}-dlq` });
      const called = only(template, 'AWS::Lambda::Function', { FunctionName: `obs-reference-dev-${name}` });
      template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
        FunctionName: { Ref: called.id },
        Qualifier: '$LATEST',
        MaximumRetryAttempts: 2,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [queue.id, 'Arn'] } } },
      });
      assert.equal(queue.Properties.MessageRetentionPeriod, 14 * 24 * 3600);
      assert.equal(queue.Properties.SqsManagedSseEnabled, true);
      template.hasResourceProperties('AWS::SQS::QueuePolicy', {
        Queues: [{ Ref: queue.id }],
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          ]),
        },
      });
    });
  }
});

describe('the topics', () => {
  const { template } = synthesize('staging');

  for (const severity of SEVERITIES) {
    test(`${severity}: encrypted, TLS only, open to the alarms of this deployment, known to the processor`, () => {
      const topic = only(template, 'AWS::SNS::Topic', { TopicName: `obs-reference-staging-alerts-${severity}` });
      const key = only(template, 'AWS::KMS::Key');
      assert.deepEqual(topic.Properties.KmsMasterKeyId, { 'Fn::GetAtt': [key.id, 'Arn'] });
      const alarms = ['arn:', { Ref: 'AWS::Partition' }, ':cloudwatch:', { Ref: 'AWS::Region' }, ':'];
      template.hasResourceProperties('AWS::SNS::TopicPolicy', {
        Topics: [{ Ref: topic.id }],
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({
              Effect: 'Deny',
              Action: 'sns:Publish',
              Principal: '*',
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            }),
            Match.objectLike({
              Effect: 'Allow',
              Action: 'sns:Publish',
              Principal: { Service: 'cloudwatch.amazonaws.com' },
              Condition: {
                StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
                ArnLike: {
                  'aws:SourceArn': {
                    'Fn::Join': ['', [...alarms, { Ref: 'AWS::AccountId' }, ':alarm:obs-reference-staging-*']],
                  },
                },
              },
            }),
          ]),
        },
      });
      template.hasResourceProperties('AWS::Lambda::Function', {
        FunctionName: 'obs-reference-staging-alert-processor',
        Environment: { Variables: Match.objectLike({ [`TOPIC_ARN_${severity.toUpperCase()}`]: { Ref: topic.id } }) },
      });
    });
  }

  test('their key is one that CloudWatch may use, which with the key of SNS it could not', () => {
    const key = only(template, 'AWS::KMS::Key');
    assert.equal(key.Properties.EnableKeyRotation, true);
    template.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Allow',
            Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
            Principal: { Service: 'cloudwatch.amazonaws.com' },
          }),
        ]),
      },
    });
  });
});

describe('the runbooks', () => {
  test('each has a text and a link to it, under the prefix that the alert processor is given', () => {
    const { template } = synthesize('prod');
    template.resourceCountIs('AWS::SSM::Parameter', 6);
    for (const slug of ['data-quality', 'processing-errors', 'default']) {
      const text = only(template, 'AWS::SSM::Parameter', { Name: `/obs-reference/prod/runbook-texts/${slug}` });
      assert.match(text.Properties.Value, /^# .*\n\n/);
      assert.ok(text.Properties.Value.includes('obs-reference-prod-'), 'the names in the text are those of prod');
      assert.ok(!text.Properties.Value.includes('{'), 'no placeholder is left');
      const link = only(template, 'AWS::SSM::Parameter', { Name: `/obs-reference/prod/runbooks/${slug}` });
      assert.equal(link.Properties.Type, 'String');
      assert.deepEqual(link.Properties.Value['Fn::Join'][1], [
        'https://',
        { Ref: 'AWS::Region' },
        `.console.aws.amazon.com/systems-manager/parameters/obs-reference/prod/runbook-texts/${slug}/description?region=`,
        { Ref: 'AWS::Region' },
      ]);
    }
    template.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: 'obs-reference-prod-alert-processor',
      Environment: { Variables: Match.objectLike({ RUNBOOK_PARAMETER_PREFIX: '/obs-reference/prod/runbooks' }) },
    });
  });
});

describe('the alarm', () => {
  for (const [environment, threshold] of [
    ['dev', 1],
    ['staging', 1],
    ['prod', 5],
  ] as const) {
    test(`watches the metric of ${environment} by its exact dimensions`, () => {
      const { template } = synthesize(environment);
      const { Properties: alarm } = only(template, 'AWS::CloudWatch::Alarm');
      assert.equal(alarm.AlarmName, `obs-reference-${environment}-processing-errors`);
      assert.equal(alarm.Namespace, 'Application/DataPipeline');
      assert.equal(alarm.MetricName, 'ProcessingErrors');
      assert.equal(alarm.Statistic, 'Sum');
      const byName = (a: { Name: string }, b: { Name: string }) => a.Name.localeCompare(b.Name);
      assert.deepEqual([...alarm.Dimensions].sort(byName), [
        { Name: 'Environment', Value: environment },
        { Name: 'Pipeline', Value: 'movies' },
        { Name: 'Service', Value: 'data-pipeline' },
      ]);
      assert.equal(alarm.ComparisonOperator, 'GreaterThanOrEqualToThreshold');
      assert.equal(alarm.Threshold, threshold);
      assert.equal(alarm.TreatMissingData, 'notBreaching');
      const high = only(template, 'AWS::SNS::Topic', { TopicName: `obs-reference-${environment}-alerts-high` });
      assert.deepEqual(alarm.AlarmActions, [{ Ref: high.id }]);
      const description = JSON.stringify(alarm.AlarmDescription);
      assert.ok(description.includes(`/obs-reference/${environment}/runbook-texts/processing-errors/description`));
      assert.ok(description.length < 1024, 'a description has at most 1,024 characters');
    });
  }
});
