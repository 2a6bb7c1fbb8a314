/** The stack, synthesized from stand-in zips: what is in them is no concern of the infrastructure. */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { createApp } from '../lib/create-app';
import type { EnvironmentName } from '../lib/environments';
import { ReferenceStack } from '../lib/reference-stack';
import { type Settings, ZIPS } from '../lib/settings';

/** A folder that is gone when the tests' process ends. */
export function temporaryFolder(): string {
  return fs.mkdtempSync(path.join(root, 'folder-'));
}
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'obs-reference-infra-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));

/** Writes what passes for the two zips, with `content` to tell two builds apart. */
export function writeZips(folder: string, content = 'bootstrap'): string {
  for (const zip of Object.values(ZIPS)) {
    fs.writeFileSync(path.join(folder, zip), `PK\x03\x04 ${content} of ${zip}`, 'latin1');
  }
  return folder;
}

export interface Synthesized {
  readonly app: App;
  readonly stack: Stack;
  readonly template: Template;
}

/** The stack as it is for these settings. Made once and shared by all tests: not to be changed. */
export function synthesize(environment: EnvironmentName, more: Partial<Settings> = {}): Synthesized {
  const key = JSON.stringify([environment, more]);
  const known = synthesized.get(key);
  if (known !== undefined) {
    return known;
  }
  const { app, stack } = build(environment, more);
  const made = { app, stack, template: Template.fromStack(stack) };
  synthesized.set(key, made);
  return made;
}
const synthesized = new Map<string, Synthesized>();

/** The same before its synthesis, for a test that adds to it. */
export function build(environment: EnvironmentName, more: Partial<Settings> = {}): { app: App; stack: Stack } {
  artifacts ??= writeZips(temporaryFolder());
  const app = createApp(temporaryFolder());
  return { app, stack: new ReferenceStack(app, { environment, artifacts, arch: 'x86_64', local: false, ...more }) };
}
let artifacts: string | undefined;

/** The only resource of a type that has these properties; its logical id and its definition. */
export function only(template: Template, type: string, properties: object = {}): Resource {
  const found = Object.entries(template.findResources(type, { Properties: properties }));
  const [first] = found;
  if (first === undefined || found.length !== 1) {
    throw new Error(`${found.length} resources of type ${type} with ${JSON.stringify(properties)}, not one`);
  }
  return { id: first[0], ...(first[1] as Omit<Resource, 'id'>) };
}

export interface Resource {
  readonly id: string;
  readonly Properties: any;
  readonly DependsOn?: string[];
  readonly DeletionPolicy?: string;
}
