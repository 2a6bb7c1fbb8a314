/**
 * What a synthesis is told from outside: which environment, where the functions' zips are, for which
 * processor, and whether the stack goes to the local backend.
 *
 *   context key   variable         values                        default
 *   env           OBS_ENV          dev | staging | prod          dev
 *   artifacts     OBS_ARTIFACTS    the directory with the zips   (none: required)
 *   arch          OBS_ARCH         x86_64 | arm64                x86_64
 *   local         OBS_LOCAL        true | false                  false
 *   xray-daemon   OBS_XRAY_DAEMON  host:port, local only         (none)
 *
 * The CDK context (`cdk -c env=prod`) wins over the variable.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { ENVIRONMENT_NAMES, type EnvironmentName } from './environments';
import { SettingsError } from './settings-error';

export const ARCHITECTURES = ['x86_64', 'arm64'] as const;
export type Arch = (typeof ARCHITECTURES)[number];

/** The zips, named for their binaries; each holds one executable file, `bootstrap`. */
export const ZIPS = { pipeline: 'pipeline.zip', alertProcessor: 'alert_processor.zip' } as const;

export interface Settings {
  readonly environment: EnvironmentName;
  /** Absolute path of the directory that holds the zips. */
  readonly artifacts: string;
  readonly arch: Arch;
  readonly local: boolean;
  /** Where a function sends its traces on the local backend; a real Lambda sets the address itself. */
  readonly xrayDaemon?: string;
}

/** Reads and checks the settings; throws a `SettingsError` at the first one that is wrong. */
export function readSettings(
  context: (key: string) => unknown,
  variables: Readonly<Record<string, string | undefined>>,
): Settings {
  const read = (key: string, variable: string): Given | undefined => {
    const fromContext = context(key);
    if (fromContext !== undefined && fromContext !== '') {
      return { value: String(fromContext), from: `the context value '${key}'` };
    }
    const fromVariable = variables[variable];
    return fromVariable ? { value: fromVariable, from: variable } : undefined;
  };

  const environment = oneOf(read('env', 'OBS_ENV'), ENVIRONMENT_NAMES, 'dev');
  const arch = oneOf(read('arch', 'OBS_ARCH'), ARCHITECTURES, 'x86_64');
  const local = oneOf(read('local', 'OBS_LOCAL'), ['true', 'false'] as const, 'false') === 'true';
  const artifacts = artifactsDirectory(read('artifacts', 'OBS_ARTIFACTS'));
  const xrayDaemon = daemonAddress(read('xray-daemon', 'OBS_XRAY_DAEMON'), local);
  return { environment, artifacts, arch, local, ...(xrayDaemon && { xrayDaemon }) };
}

interface Given {
  readonly value: string;
  /** How the person gave the value, for the message. */
  readonly from: string;
}

function oneOf<T extends string>(given: Given | undefined, allowed: readonly T[], otherwise: T): T {
  if (given === undefined) {
    return otherwise;
  }
  const found = allowed.find((value) => value === given.value);
  if (found === undefined) {
    throw new SettingsError(`${given.from} is '${given.value}', but must be one of ${allowed.join(', ')}.`);
  }
  return found;
}

function artifactsDirectory(given: Given | undefined): string {
  if (given === undefined) {
    throw new SettingsError(
      `OBS_ARTIFACTS (or the context value 'artifacts') is not set: it names the directory that holds ` +
        `${Object.values(ZIPS).join(' and ')}.`,
    );
  }
  const directory = path.resolve(given.value);
  if (!isDirectory(directory)) {
    throw new SettingsError(`${given.from} names ${directory}, which is not a directory.`);
  }
  for (const zip of Object.values(ZIPS)) {
    const problem = zipProblem(path.join(directory, zip));
    if (problem !== undefined) {
      throw new SettingsError(`${path.join(directory, zip)} ${problem}: build the functions first.`);
    }
  }
  return directory;
}

function isDirectory(name: string): boolean {
  return fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Looks at the first bytes only: an empty or half-written file must not get as far as a deployment. */
function zipProblem(file: string): string | undefined {
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
    return 'does not exist';
  }
  const start = Buffer.alloc(4);
  const handle = fs.openSync(file, 'r');
  try {
    fs.readSync(handle, start, 0, start.length, 0);
  } finally {
    fs.closeSync(handle);
  }
  return start.equals(Buffer.from('PK\x03\x04', 'latin1')) ? undefined : 'is not a zip file';
}

function daemonAddress(given: Given | undefined, local: boolean): string | undefined {
  if (given === undefined) {
    return undefined;
  }
  if (!local) {
    throw new SettingsError(
      `${given.from} is set, but only the local backend takes it: in an account Lambda reserves the X-Ray ` +
        `daemon's address for itself.`,
    );
  }
  const port = /^[^\s:]+:(\d{1,5})$/.exec(given.value)?.[1];
  if (port === undefined || Number(port) < 1 || Number(port) > 65535) {
    throw new SettingsError(`${given.from} is '${given.value}', but must be host:port, such as 127.0.0.1:2000.`);
  }
  return given.value;
}
