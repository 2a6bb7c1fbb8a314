import { Aws, Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { AlertTopics, SEVERITIES } from './alert-topics';
import { DeadLetterQueue } from './dead-letter-queue';
import { ALERT_EVENT, type Deployment } from './deployment';
import type { Runbooks } from './runbooks';
import { RustFunction } from './rust-function';
import { ZIPS } from './settings';
import { acknowledgeWildcard } from './wildcards';

/** An alert's way: the bus, the rule, the alert processor, and the topic of its severity. */
export class Alerting extends Construct {
  readonly bus: events.EventBus;
  readonly topics: AlertTopics;
  readonly processor: RustFunction;
  readonly deadLetters: DeadLetterQueue;

  constructor(scope: Construct, id: string, on: Deployment, runbooks: Runbooks) {
    super(scope, id);
    this.bus = new events.EventBus(this, 'Bus', {
      eventBusName: on.prefix,
      description: `Custom alerts of ${on.prefix}`,
    });
    this.topics = new AlertTopics(this, 'Topics', on);
    this.deadLetters = new DeadLetterQueue(this, 'DeadLetters', `${on.prefix}-alert-processor-dlq`);
    this.processor = this.addProcessor(on, runbooks);
    this.route(on);
  }

  private addProcessor(on: Deployment, runbooks: Runbooks): RustFunction {
    const processor = new RustFunction(this, 'Processor', on, {
      name: 'alert-processor',
      description: 'Adds to an alert what its reader needs and publishes it to the topic of its severity',
      zip: ZIPS.alertProcessor,
      service: 'alert-processor',
      memoryMb: 256,
      timeout: Duration.seconds(30),
      deadLetters: this.deadLetters,
      variables: {
        ...Object.fromEntries(
          SEVERITIES.map((severity) => [`TOPIC_ARN_${severity.toUpperCase()}`, this.topics.topic(severity).topicArn]),
        ),
        RUNBOOK_PARAMETER_PREFIX: runbooks.parameterPrefix,
      },
    });
    for (const statement of this.topics.publishStatements()) {
      processor.role.addToPolicy(statement);
    }
    // All links, also those that a team adds later: with the three of today alone, a runbook that is not there
    // would be "access denied" and could not fall back to the default.
    const links = `parameter${runbooks.parameterPrefix}/*`;
    processor.role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['ssm:GetParameter'],
        resources: [`arn:${Aws.PARTITION}:ssm:${Aws.REGION}:${Aws.ACCOUNT_ID}:${links}`],
      }),
    );
    acknowledgeWildcard(
      processor.role,
      `arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:${links}`,
      'Only the links of this deployment, and which of them exist is for the team to say.',
    );
    return processor;
  }

  /**
   * Two things can fail, and both end in the same queue. The rule's retries cover EventBridge reaching Lambda
   * (throttled, permission gone); once Lambda has the event, the function's own retries and failure
   * destination cover the function, of which EventBridge hears nothing.
   */
  private route(on: Deployment): void {
    new events.Rule(this, 'Rule', {
      ruleName: `${on.prefix}-alerts`,
      description: 'Custom alerts go to the alert processor',
      eventBus: this.bus,
      eventPattern: { source: [ALERT_EVENT.source], detailType: ALERT_EVENT.detailTypes },
      targets: [
        new targets.LambdaFunction(this.processor.function, {
          deadLetterQueue: this.deadLetters,
          retryAttempts: 8,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
  }
}
