import type { EnvironmentConfig, EnvironmentName } from './environments';
import { environmentConfig } from './environments';
import type { Settings } from './settings';

/** What every part of the stack is built from. */
export interface Deployment {
  readonly settings: Settings;
  readonly config: EnvironmentConfig;
  readonly environment: EnvironmentName;
  /** The stack's name, and the start of every fixed name in it: `obs-reference-<env>`. */
  readonly prefix: string;
}

export function deployment(settings: Settings): Deployment {
  const { environment } = settings;
  return { settings, environment, config: environmentConfig(environment), prefix: `obs-reference-${environment}` };
}

/** The namespace and the names under which the pipeline emits its metrics. The functions get them as variables. */
export const METRICS = {
  namespace: 'Application/DataPipeline',
  service: 'data-pipeline',
  pipeline: 'movies',
} as const;

/** How a custom alert looks on the bus: what the SDK publishes, and so what the rule has to match. */
export const ALERT_EVENT = {
  source: 'myapp.alerts',
  // The second is what the SDK itself publishes where alerts were lost.
  detailTypes: ['Business Alert', 'Alerts Lost'],
};
