import * as fs from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Aws } from 'aws-cdk-lib';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { Deployment } from './deployment';

/** One file each in `runbooks/`. `default` is what an alert gets whose own runbook nobody has written yet. */
export const RUNBOOKS = ['data-quality', 'processing-errors', 'default'] as const;
export type Runbook = (typeof RUNBOOKS)[number];

const TEXTS = path.join(__dirname, '..', 'runbooks');

/**
 * The runbooks: their text and, under `<parameterPrefix>/<slug>`, the link that alerts and alarms carry.
 *
 * The text is a parameter too, so a link leads to something from the first deployment on and nobody has to
 * host anything. Parameters of the standard tier cost nothing. On the local backend there is no console to
 * look at them in, so there the link is the file.
 */
export class Runbooks extends Construct {
  /** Holds the links; the alert processor is given this prefix. */
  readonly parameterPrefix: string;
  private readonly links = new Map<Runbook, string>();

  constructor(scope: Construct, id: string, on: Deployment) {
    super(scope, id);
    this.parameterPrefix = `/obs-reference/${on.environment}/runbooks`;
    for (const slug of RUNBOOKS) {
      const file = path.join(TEXTS, `${slug}.md`);
      const textName = `/obs-reference/${on.environment}/runbook-texts/${slug}`;
      const text = new ssm.StringParameter(this, `Text-${slug}`, {
        parameterName: textName,
        description: `The runbook ${slug}`,
        stringValue: runbookText(file, on),
      });
      const link = on.settings.local ? pathToFileURL(file).href : consoleLink(textName);
      const parameter = new ssm.StringParameter(this, `Link-${slug}`, {
        parameterName: `${this.parameterPrefix}/${slug}`,
        description: `Where the runbook ${slug} can be read`,
        stringValue: link,
      });
      parameter.node.addDependency(text);
      this.links.set(slug, link);
    }
  }

  link(slug: Runbook): string {
    return this.links.get(slug) as string;
  }
}

/** The limit of a parameter of the standard tier. */
const PARAMETER_BYTES = 4096;

function runbookText(file: string, on: Deployment): string {
  const text = fs.readFileSync(file, 'utf8').replaceAll('{prefix}', on.prefix).trimEnd();
  if (Buffer.byteLength(text) > PARAMETER_BYTES) {
    throw new Error(`${file} is longer than the ${PARAMETER_BYTES} bytes of an SSM parameter.`);
  }
  return text;
}

function consoleLink(parameterName: string): string {
  const parameters = `https://${Aws.REGION}.console.aws.amazon.com/systems-manager/parameters`;
  return `${parameters}${parameterName}/description?region=${Aws.REGION}`;
}
