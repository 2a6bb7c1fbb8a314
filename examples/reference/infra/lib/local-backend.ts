/**
 * What the local backend (MiniStack 1.5.33) cannot do. This file is the one place that says so: the stack takes
 * resources out by it, and a local synthesis writes it to `local-omissions.json` for the demo to print.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { CfnResource, type Stack } from 'aws-cdk-lib';

export interface Omission {
  /** A CloudFormation resource type, where needed with those of its properties that are meant. */
  readonly type: string;
  readonly reason: string;
}

/**
 * Types that the backend does not know: it would refuse the whole template, so these resources are taken out.
 * At the moment it knows every type of the stack.
 */
export const UNKNOWN_TYPES: readonly Omission[] = [];

/** What the backend accepts without acting on it. It stays in the template, but the demo cannot show it. */
export const WITHOUT_EFFECT: readonly Omission[] = [
  { type: 'AWS::IAM::Policy', reason: 'permissions are not enforced, every function may do everything' },
  {
    type: 'AWS::S3::BucketPolicy, AWS::SNS::TopicPolicy, AWS::SQS::QueuePolicy',
    reason: 'not enforced: the backend is reached in plain HTTP on the loopback interface',
  },
  {
    type: 'AWS::S3::Bucket (BucketEncryption, LifecycleConfiguration)',
    reason: 'accepted and forgotten: objects are neither encrypted nor moved nor expired',
  },
  { type: 'AWS::SNS::Topic (KmsMasterKeyId)', reason: 'accepted and forgotten: messages are not encrypted' },
  {
    type: 'AWS::Events::Rule (RetryPolicy, DeadLetterConfig)',
    reason: 'a rule starts its function once: if that fails, nothing is retried or kept',
  },
  {
    type: 'AWS::CloudWatch::Alarm (Dimensions, TreatMissingData)',
    reason: 'the alarm looks at the values of all dimensions together, and without values keeps its state',
  },
];

const FILE = 'local-omissions.json';

/** Takes out of the stack every resource whose type is named. */
export function leaveOut(stack: Stack, omissions: readonly Omission[] = UNKNOWN_TYPES): void {
  const types = new Set(omissions.map((omission) => omission.type));
  for (const child of stack.node.findAll()) {
    if (CfnResource.isCfnResource(child) && types.has(child.cfnResourceType)) {
      child.node.scope?.node.tryRemoveChild(child.node.id);
    }
  }
}

/** Writes the whole list beside the template, or makes sure that none of an earlier synthesis is left there. */
export function writeOmissions(outdir: string, local: boolean): void {
  const file = path.join(outdir, FILE);
  if (local) {
    fs.writeFileSync(file, `${JSON.stringify([...UNKNOWN_TYPES, ...WITHOUT_EFFECT], undefined, 2)}\n`);
  } else {
    fs.rmSync(file, { force: true });
  }
}
