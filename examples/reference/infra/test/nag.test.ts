import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { build } from './synthesized';

describe('cdk-nag', () => {
  for (const environment of ['dev', 'staging', 'prod'] as const) {
    for (const local of [false, true]) {
      test(`finds nothing in ${environment}${local ? ' for the local backend' : ''}`, () => {
        const { stack } = build(environment, { local });
        assert.deepEqual(findings(stack), []);
      });
    }
  }

  test('finds what was not acknowledged: another wildcard, a queue without TLS', () => {
    const { stack } = build('dev');
    new iam.Policy(stack, 'TooMuch', {
      roles: [stack.node.findChild('Ingest').node.findChild('Pipeline').node.findChild('Role') as iam.Role],
      statements: [new iam.PolicyStatement({ actions: ['s3:*'], resources: ['*'] })],
    });
    new sqs.Queue(stack, 'Plain');
    const found = findings(stack);
    for (const rule of ['IAM5[Action::s3:*]', 'IAM5[Resource::*]', 'SQS3', 'SQS4']) {
      assert.ok(
        found.some((finding) => finding.includes(`AwsSolutions-${rule}`)),
        `${rule} is not in ${found.join(', ')}`,
      );
    }
  });

  test('what is acknowledged is this list, and each entry says why', () => {
    const expected = {
      dev: [...ALWAYS, 'S1'],
      prod: ALWAYS,
    };
    for (const environment of ['dev', 'prod'] as const) {
      const { stack } = build(environment);
      const entries = stack.node
        .findAll()
        .flatMap(({ node }) => node.metadata)
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.entries(data as Record<string, string>));
      const ids = entries.map(([id]) => id.replace(/^.*AwsSolutions-/, '').replace(/<(\w+)[0-9A-F]{8}\./, '<$1.'));
      const links = `Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/obs-reference/${environment}`;
      assert.deepEqual(ids.sort(), [...expected[environment], `IAM5[${links}/runbooks/*]`].sort());
      for (const [id, reason] of entries) {
        assert.match(reason, /^[A-Z].{30,}\.$/, id);
      }
    }
  });
});

const ALWAYS = [
  'IAM5[Resource::*]', // X-Ray, once for each function
  'IAM5[Resource::*]',
  ...['incoming', 'processed', 'rejected', 'failed'].map((prefix) => `IAM5[Resource::<IngestBucket.Arn>/${prefix}/*]`),
  'SQS3',
  'SQS3',
];

function findings(stack: Stack): string[] {
  return new AwsSolutionsChecks()
    .validateScope(stack)
    .violations.map(({ ruleName, violatingResources }) =>
      [ruleName, ...violatingResources.map((resource) => resource.constructPath)].join(' '),
    );
}
