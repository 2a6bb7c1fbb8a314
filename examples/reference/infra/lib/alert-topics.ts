import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Deployment } from './deployment';

export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * One topic a severity, so that a subscriber chooses how urgent a thing must be to be told of it.
 *
 * They are encrypted with a key of our own, about a dollar a month: with AWS's key for SNS, a CloudWatch
 * alarm cannot publish (that key's policy does not know CloudWatch, and nobody can change it), and the alarm
 * says so only in its history.
 */
export class AlertTopics extends Construct {
  readonly key: kms.Key;
  private readonly bySeverity = new Map<Severity, sns.Topic>();

  constructor(scope: Construct, id: string, on: Deployment) {
    super(scope, id);
    const alarms = `arn:${Aws.PARTITION}:cloudwatch:${Aws.REGION}:${Aws.ACCOUNT_ID}:alarm:${on.prefix}-*`;
    const cloudWatch = new iam.ServicePrincipal('cloudwatch.amazonaws.com');
    this.key = new kms.Key(this, 'Key', {
      description: `Encrypts the alerts of ${on.prefix}`,
      enableKeyRotation: true,
      // It protects messages on their way, not stored data: nothing is lost with it.
      removalPolicy: RemovalPolicy.DESTROY,
      pendingWindow: Duration.days(7),
    });
    this.key.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'AlarmsMayUseTheKey',
        principals: [cloudWatch],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // in a key policy: this key
      }),
    );
    for (const severity of SEVERITIES) {
      const topic = new sns.Topic(this, severity, {
        topicName: `${on.prefix}-alerts-${severity}`,
        displayName: `${on.prefix}: ${severity} alerts`,
        masterKey: this.key,
        enforceSSL: true,
      });
      // A topic with a policy of its own has lost the default one, which let the account's alarms in.
      topic.addToResourcePolicy(
        new iam.PolicyStatement({
          sid: 'AlarmsOfThisAccountMayPublish',
          principals: [cloudWatch],
          actions: ['sns:Publish'],
          resources: [topic.topicArn],
          conditions: {
            StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
            ArnLike: { 'aws:SourceArn': alarms },
          },
        }),
      );
      this.bySeverity.set(severity, topic);
    }
  }

  topic(severity: Severity): sns.Topic {
    return this.bySeverity.get(severity) as sns.Topic;
  }

  /** What a function needs to publish: each topic by its name, and the key for the message. */
  publishStatements(): iam.PolicyStatement[] {
    return [
      new iam.PolicyStatement({
        actions: ['sns:Publish'],
        resources: SEVERITIES.map((severity) => this.topic(severity).topicArn),
      }),
      new iam.PolicyStatement({
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: [this.key.keyArn],
      }),
    ];
  }
}
