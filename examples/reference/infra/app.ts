/**
 * Synthesizes the reference deployment: `npx tsx app.ts`, or through the CDK's command line (`npx cdk diff`).
 * Needs no credentials, no network and no Docker. The settings are described in `lib/settings.ts`; the output
 * goes to CDK_OUTDIR, else to `cdk.out` beside this file.
 *
 * With `local=true`, for whoever deploys the template without the CDK's command line:
 *
 * - `manifest.json` names, under `artifacts`, the one artifact of type `aws:cloudformation:stack`; its key is the
 *   stack's name, `properties.templateFile` the template, `additionalMetadataFile` the file for the next step.
 * - That file holds, under `/<stack>`, a list of entries. Each of type `aws:cdk:asset` has `data`: `path` (the
 *   zip in the output folder), `sourceHash`, `s3BucketParameter`, `s3KeyParameter` and `artifactHashParameter`.
 * - Upload the zip, then set the parameter named by `s3BucketParameter` to the bucket, the one named by
 *   `s3KeyParameter` to `<prefix>||<name>` (the object's key cut in two; the prefix may be empty) and the one
 *   named by `artifactHashParameter` to the hash. None has a default.
 * - `local-omissions.json` lists what the local backend leaves out: `[{ "type": …, "reason": … }]`.
 *
 * The asset's hash is that of the zip's content, so an unchanged zip is an unchanged template.
 */
import * as path from 'node:path';
import { createApp } from './lib/create-app';
import { writeOmissions } from './lib/local-backend';
import { ReferenceStack } from './lib/reference-stack';
import { readSettings } from './lib/settings';
import { SettingsError } from './lib/settings-error';

try {
  const app = createApp(process.env.CDK_OUTDIR ?? path.join(__dirname, 'cdk.out'));
  const settings = readSettings((key) => app.node.tryGetContext(key), process.env);
  new ReferenceStack(app, settings);
  writeOmissions(app.synth().directory, settings.local);
} catch (error) {
  if (error instanceof SettingsError) {
    console.error(error.message);
  } else if (!(error instanceof Error && error.name === 'ValidationFailed')) {
    throw error;
  } // else the CDK has printed the findings already, each with its place
  process.exitCode = 1;
}
