import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder, writeZips } from './synthesized';

const INFRA = path.join(__dirname, '..');

/** Runs the app as `npx tsx app.ts` does, with nothing of this process's environment but the path. */
function run(outdir: string, variables: Record<string, string>) {
  return spawnSync(process.execPath, ['--import', 'tsx', 'app.ts'], {
    cwd: INFRA,
    env: { PATH: process.env.PATH, CDK_OUTDIR: outdir, ...variables },
    encoding: 'utf8',
  });
}

/** Everything in a cloud assembly but the traces of where in the source a thing was made. */
function assembly(outdir: string): Record<string, string> {
  const files = fs.readdirSync(outdir).filter((name) => /template\.json$|assets\.json$|^asset\./.test(name));
  return Object.fromEntries(files.map((name) => [name, fs.readFileSync(path.join(outdir, name), 'latin1')]));
}

describe('app.ts', () => {
  test('synthesizes without the command line, silently; the same zips elsewhere give the same assembly', () => {
    const [first, again] = [temporaryFolder(), temporaryFolder()];
    for (const outdir of [first, again]) {
      const result = run(outdir, { OBS_ARTIFACTS: writeZips(temporaryFolder()), OBS_ENV: 'staging' });
      assert.deepEqual([result.status, result.stdout, result.stderr], [0, '', '']);
      assert.ok(!fs.existsSync(path.join(outdir, 'local-omissions.json')));
    }
    assert.deepEqual(Object.keys(assembly(first)).sort().slice(2), [
      'obs-reference-staging.assets.json',
      'obs-reference-staging.template.json',
    ]);
    assert.deepEqual(assembly(again), assembly(first));
  });

  test('for the local backend it writes the omissions, silently too; another zip has another name', () => {
    const [first, other] = [temporaryFolder(), temporaryFolder()];
    for (const [outdir, content] of [
      [first, 'a bootstrap'],
      [other, 'another'],
    ] as const) {
      const artifacts = writeZips(temporaryFolder(), content);
      const result = run(outdir, { OBS_ARTIFACTS: artifacts, OBS_LOCAL: 'true' });
      assert.deepEqual([result.status, result.stdout, result.stderr], [0, '', '']);
      assert.ok(fs.existsSync(path.join(outdir, 'local-omissions.json')));
    }
    const zips = (outdir: string) => Object.keys(assembly(outdir)).filter((name) => name.endsWith('.zip'));
    assert.equal(new Set([...zips(first), ...zips(other)]).size, 4);
  });

  test('a wrong setting is one sentence and exit code 1, and leaves no assembly', () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /^OBS_ARTIFACTS .* is not set: .*\.\n$/],
      [{ OBS_ARTIFACTS: '/no/such/folder' }, /^OBS_ARTIFACTS names \/no\/such\/folder, which is not a directory\.\n$/],
      [{ OBS_ARTIFACTS: temporaryFolder() }, /^.*pipeline\.zip does not exist: build the functions first\.\n$/],
      [{ OBS_ENV: 'qa' }, /^OBS_ENV is 'qa', but must be one of dev, staging, prod\.\n$/],
    ];
    for (const [variables, message] of cases) {
      const outdir = temporaryFolder();
      const result = run(outdir, variables);
      assert.equal(result.status, 1);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, '');
      assert.deepEqual(fs.readdirSync(outdir), []);
    }
  });
});

describe('package-lock.json', () => {
  test('names no place to download from', () => {
    const lock = JSON.parse(fs.readFileSync(path.join(INFRA, 'package-lock.json'), 'utf8'));
    for (const [name, entry] of Object.entries(lock.packages as Record<string, Record<string, unknown>>)) {
      assert.equal(entry.resolved, undefined, name);
      assert.ok(
        name === '' || typeof entry.integrity === 'string' || entry.inBundle === true,
        `${name} has a checksum`,
      );
    }
  });
});
