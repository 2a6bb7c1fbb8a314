import { CfnOutput, LegacyStackSynthesizer, Stack, Tags, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Alerting } from './alerting';
import { type Deployment, deployment } from './deployment';
import { Ingest } from './ingest';
import { leaveOut } from './local-backend';
import { ProcessingErrorsAlarm } from './processing-alarm';
import { Runbooks } from './runbooks';
import type { Settings } from './settings';

/**
 * The reference deployment of one environment.
 *
 *     bucket ──► pipeline ──► bus ──► rule ──► alert processor ──► topic by severity
 *                   └─ metric ProcessingErrors ──► alarm ──► topic high
 */
export class ReferenceStack extends Stack {
  constructor(scope: Construct, settings: Settings) {
    const on = deployment(settings);
    super(scope, on.prefix, {
      stackName: on.prefix,
      description: `Obs: the reference deployment, ${on.environment}`,
      // The local backend has no bootstrap stack to take assets from, so there each asset is two template
      // parameters. An account gets the default: `cdk deploy` uploads to the bootstrap bucket.
      ...(settings.local && { synthesizer: new LegacyStackSynthesizer() }),
    });

    const runbooks = new Runbooks(this, 'Runbooks', on);
    const alerting = new Alerting(this, 'Alerting', on, runbooks);
    const ingest = new Ingest(this, 'Ingest', on, alerting.bus);
    const alarm = new ProcessingErrorsAlarm(
      this,
      'ProcessingErrors',
      on,
      runbooks.link('processing-errors'),
      alerting.topics.topic('high'),
    );

    if (settings.local) {
      leaveOut(this);
      Validations.of(this).acknowledge({
        id: 'CloudFormation-Validate::W2001',
        reason: 'The legacy synthesizer gives each asset a parameter with its hash, which nothing has to use.',
      });
    }
    this.tag(on);
    this.output({
      BucketName: ingest.bucket.bucketName,
      BusName: alerting.bus.eventBusName,
      PipelineFunctionName: ingest.pipeline.function.functionName,
      AlertProcessorFunctionName: alerting.processor.function.functionName,
      TopicArnCritical: alerting.topics.topic('critical').topicArn,
      TopicArnHigh: alerting.topics.topic('high').topicArn,
      TopicArnMedium: alerting.topics.topic('medium').topicArn,
      TopicArnLow: alerting.topics.topic('low').topicArn,
      PipelineLogGroup: ingest.pipeline.logGroup.logGroupName,
      AlertProcessorLogGroup: alerting.processor.logGroup.logGroupName,
      PipelineDlqUrl: ingest.deadLetters.queueUrl,
      AlertProcessorDlqUrl: alerting.deadLetters.queueUrl,
      ProcessingErrorsAlarm: alarm.alarmName,
    });
  }

  /** On every resource: costs by application and environment, and where a resource comes from. */
  private tag(on: Deployment): void {
    Tags.of(this).add('Application', 'obs-reference');
    Tags.of(this).add('Environment', on.environment);
    Tags.of(this).add('ManagedBy', 'cdk');
  }

  private output(values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) {
      new CfnOutput(this, name, { value });
    }
  }
}
