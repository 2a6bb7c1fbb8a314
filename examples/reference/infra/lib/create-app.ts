import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';

/** An app with the project's options, the same whether the CDK's command line or `tsx` runs it. */
export function createApp(outdir: string): App {
  const app = new App({
    outdir,
    // Else the CDK, told of an output folder, writes an empty assembly at exit when a setting was wrong.
    autoSynth: false,
    analyticsReporting: false,
    context: {
      // Access logs are let in by a bucket policy; an ACL is refused by a bucket that enforces its owner.
      '@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy': true,
    },
  });
  // Every synthesis is checked, so a finding stops a deployment and not only a test.
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
