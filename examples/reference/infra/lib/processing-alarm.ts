import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { type Deployment, METRICS } from './deployment';

/**
 * Goes off when the pipeline refuses records or fails on files.
 *
 * A metric is its name and its exact set of dimensions: with one dimension more or less than the pipeline
 * emits, the alarm would watch a metric that never gets a value, and stay silent.
 */
export class ProcessingErrorsAlarm extends cloudwatch.Alarm {
  constructor(scope: Construct, id: string, on: Deployment, runbookLink: string, topic: sns.ITopic) {
    super(scope, id, {
      alarmName: `${on.prefix}-processing-errors`,
      alarmDescription: `The pipeline ${METRICS.pipeline} refuses records or fails on files. Runbook: ${runbookLink}`,
      metric: new cloudwatch.Metric({
        namespace: METRICS.namespace,
        metricName: 'ProcessingErrors',
        dimensionsMap: { Service: METRICS.service, Environment: on.environment, Pipeline: METRICS.pipeline },
        statistic: cloudwatch.Stats.SUM,
        period: Duration.minutes(1),
      }),
      threshold: on.config.processingErrorsThreshold,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      // No file, no metric: that is the usual state and no reason to worry.
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    this.addAlarmAction(new actions.SnsAction(topic));
  }
}
