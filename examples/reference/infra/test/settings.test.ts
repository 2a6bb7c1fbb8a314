import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { checked, ENVIRONMENT_NAMES, environmentConfig } from '../lib/environments';
import { readSettings } from '../lib/settings';
import { SettingsError } from '../lib/settings-error';
import { temporaryFolder, writeZips } from './synthesized';

type Given = Record<string, unknown>;

function read(variables: Given, context: Given = {}) {
  return readSettings((key) => context[key], variables as Record<string, string>);
}

/** The message has to name what was given, and be one sentence. */
function refused(variables: Given, context: Given, ...fragments: string[]): void {
  assert.throws(
    () => read(variables, context),
    (error: unknown) => {
      assert.ok(error instanceof SettingsError, String(error));
      for (const fragment of fragments) {
        assert.ok(error.message.includes(fragment), `"${error.message}" does not say "${fragment}"`);
      }
      assert.match(error.message, /^[^\n]+\.$/);
      return true;
    },
  );
}

describe('settings', () => {
  const artifacts = writeZips(temporaryFolder());

  test('only the artifacts have to be given', () => {
    const expected = { environment: 'dev', artifacts, arch: 'x86_64', local: false };
    assert.deepEqual(read({ OBS_ARTIFACTS: artifacts }), expected);
    assert.deepEqual(read({ OBS_ARTIFACTS: artifacts, OBS_ENV: '', OBS_LOCAL: '' }), expected);
  });

  test('all of them, by variable', () => {
    const variables = {
      OBS_ARTIFACTS: artifacts,
      OBS_ENV: 'prod',
      OBS_ARCH: 'arm64',
      OBS_LOCAL: 'true',
      OBS_XRAY_DAEMON: '127.0.0.1:2000',
    };
    const expected = { environment: 'prod', artifacts, arch: 'arm64', local: true, xrayDaemon: '127.0.0.1:2000' };
    assert.deepEqual(read(variables), expected);
  });

  test('context wins over variables, and may hold a boolean', () => {
    const found = read({ OBS_ARTIFACTS: '/nowhere', OBS_ENV: 'prod' }, { artifacts, env: 'staging', local: true });
    assert.equal(found.artifacts, artifacts);
    assert.equal(found.environment, 'staging');
    assert.equal(found.local, true);
  });

  test('a relative artifacts directory is one of the current directory', () => {
    const relative = path.relative(process.cwd(), artifacts);
    assert.equal(read({ OBS_ARTIFACTS: relative }).artifacts, artifacts);
  });

  test('a value that is not one of the allowed is named with them', () => {
    refused({ OBS_ARTIFACTS: artifacts, OBS_ENV: 'production' }, {}, 'OBS_ENV', "'production'", 'dev, staging, prod');
    refused({ OBS_ARTIFACTS: artifacts }, { arch: 'mips' }, "context value 'arch'", "'mips'", 'x86_64, arm64');
    refused({ OBS_ARTIFACTS: artifacts, OBS_LOCAL: 'yes' }, {}, 'OBS_LOCAL', "'yes'", 'true, false');
  });

  test('the artifacts directory has to be given, to exist and to hold both zips', () => {
    refused({}, {}, 'OBS_ARTIFACTS', 'pipeline.zip', 'alert_processor.zip');
    refused({ OBS_ARTIFACTS: '/no/such/folder' }, {}, '/no/such/folder', 'not a directory');
    refused({ OBS_ARTIFACTS: path.join(artifacts, 'pipeline.zip') }, {}, 'not a directory');
    const half = writeZips(temporaryFolder());
    fs.rmSync(path.join(half, 'alert_processor.zip'));
    refused(
      { OBS_ARTIFACTS: half },
      {},
      path.join(half, 'alert_processor.zip'),
      'does not exist',
      'build the functions',
    );
  });

  test('an empty or half-written zip is refused', () => {
    const broken = writeZips(temporaryFolder());
    for (const content of ['', 'PK', 'not a zip']) {
      fs.writeFileSync(path.join(broken, 'pipeline.zip'), content);
      refused({ OBS_ARTIFACTS: broken }, {}, path.join(broken, 'pipeline.zip'), 'is not a zip file');
    }
  });

  test("the X-Ray daemon's address is for the local backend only, and host:port", () => {
    const local = { OBS_ARTIFACTS: artifacts, OBS_LOCAL: 'true' };
    refused({ OBS_ARTIFACTS: artifacts, OBS_XRAY_DAEMON: '127.0.0.1:2000' }, {}, 'only the local backend');
    for (const address of ['127.0.0.1', ':2000', 'host:0', 'host:65536', 'udp:host:2000']) {
      refused({ ...local, OBS_XRAY_DAEMON: address }, {}, `'${address}'`, 'host:port');
    }
  });
});

describe('environments', () => {
  test('each has a configuration that AWS takes', () => {
    assert.deepEqual(
      ENVIRONMENT_NAMES.map((name) => environmentConfig(name).logRetentionDays),
      [7, 30, 90],
    );
  });

  test('a value that AWS or the functions would refuse is refused at synthesis', () => {
    const good = environmentConfig('dev');
    const wrong: [Partial<typeof good>, string][] = [
      [{ logRetentionDays: 31 }, 'logRetentionDays is 31'],
      [{ qualityThreshold: 101 }, 'qualityThreshold is 101'],
      [{ qualityThreshold: -1 }, 'qualityThreshold is -1'],
      [{ qualityThreshold: Number.NaN }, 'qualityThreshold is NaN'],
      [{ processingErrorsThreshold: 0 }, 'processingErrorsThreshold is 0'],
      [{ processingErrorsThreshold: 1.5 }, 'processingErrorsThreshold is 1.5'],
    ];
    for (const [change, message] of wrong) {
      assert.throws(
        () => checked('dev', { ...good, ...change }),
        (error: unknown) => {
          assert.ok(error instanceof SettingsError);
          assert.ok(error.message.includes(`The configuration of dev is wrong: ${message}`), error.message);
          return true;
        },
      );
    }
  });
});
