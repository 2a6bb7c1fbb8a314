/**
 * Runs every test file in one process. The test runner would start one for each, and each would load the CDK
 * and its template validator again: some three seconds, where the tests themselves take milliseconds.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

for (const file of fs.readdirSync(__dirname).sort()) {
  if (file.endsWith('.test.ts')) {
    require(path.join(__dirname, file));
  }
}
