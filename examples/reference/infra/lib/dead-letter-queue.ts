import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Where events end up that a function could not handle, for as long as SQS keeps anything: 14 days. */
export class DeadLetterQueue extends sqs.Queue {
  constructor(scope: Construct, id: string, name: string) {
    super(scope, id, {
      queueName: name,
      // SQS's own key: EventBridge and Lambda can write to such a queue without a key policy, and it costs nothing.
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This is a dead-letter queue: Lambda and EventBridge write to it, a person reads it.',
    });
  }
}
