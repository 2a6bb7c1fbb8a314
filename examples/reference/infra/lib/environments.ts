/**
 * What differs between dev, staging and prod. This table is the place to change a threshold.
 *
 * There is no sampling rate here: Lambda samples by itself (the first request of a second and 5 % of the
 * rest) and offers no way to change that for a function, so a number here would do nothing.
 */

import { SettingsError } from './settings-error';

export const ENVIRONMENT_NAMES = ['dev', 'staging', 'prod'] as const;
export type EnvironmentName = (typeof ENVIRONMENT_NAMES)[number];

export interface EnvironmentConfig {
  /** Days that the functions' logs are kept; one of `LOG_RETENTION_DAYS`. */
  readonly logRetentionDays: number;
  /** Percent. A file whose data quality score is lower raises an alert. */
  readonly qualityThreshold: number;
  /** ProcessingErrors within one minute at which the alarm goes off. */
  readonly processingErrorsThreshold: number;
  /**
   * Whether the bucket outlives the stack. If so it also keeps overwritten versions and logs each access;
   * if not it is deleted with the stack, which CloudFormation refuses to do while it still holds objects.
   */
  readonly keepData: boolean;
}

const ENVIRONMENTS: Readonly<Record<EnvironmentName, EnvironmentConfig>> = {
  dev: { logRetentionDays: 7, qualityThreshold: 95, processingErrorsThreshold: 1, keepData: false },
  staging: { logRetentionDays: 30, qualityThreshold: 95, processingErrorsThreshold: 1, keepData: true },
  // A single refused record in prod is the sender's affair and stands under `rejected/`; five in a minute are ours.
  prod: { logRetentionDays: 90, qualityThreshold: 98, processingErrorsThreshold: 5, keepData: true },
};

/** The retentions that CloudWatch Logs takes (PutRetentionPolicy). */
const LOG_RETENTION_DAYS: readonly number[] = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** The configuration of an environment, checked. */
export function environmentConfig(name: EnvironmentName): EnvironmentConfig {
  return checked(name, ENVIRONMENTS[name]);
}

/** Returns the configuration if every value is one that AWS and the functions take, else throws a `SettingsError`. */
export function checked(name: EnvironmentName, config: EnvironmentConfig): EnvironmentConfig {
  const { logRetentionDays, qualityThreshold, processingErrorsThreshold } = config;
  const refuse = (what: string): never => {
    throw new SettingsError(`The configuration of ${name} is wrong: ${what}.`);
  };
  if (!LOG_RETENTION_DAYS.includes(logRetentionDays)) {
    refuse(`logRetentionDays is ${logRetentionDays}, but CloudWatch Logs takes only ${LOG_RETENTION_DAYS.join(', ')}`);
  }
  if (!(qualityThreshold >= 0 && qualityThreshold <= 100)) {
    refuse(`qualityThreshold is ${qualityThreshold}, but is a percentage from 0 to 100`);
  }
  if (!(Number.isInteger(processingErrorsThreshold) && processingErrorsThreshold >= 1)) {
    refuse(`processingErrorsThreshold is ${processingErrorsThreshold}, but must be a whole number from 1 up`);
  }
  return config;
}
