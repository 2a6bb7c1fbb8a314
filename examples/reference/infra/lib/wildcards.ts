import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Lets cdk-nag pass one resource with a wildcard, and says why it has to be one. `resource` is written as
 * cdk-nag prints it, references in angle brackets; any other wildcard in the same policy is still a finding.
 */
export function acknowledgeWildcard(scope: IConstruct, resource: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason });
}
