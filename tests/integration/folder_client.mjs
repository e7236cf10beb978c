// A billing software in another language: writes one document into the outbox, waits for its status file.
//   node folder_client.mjs OUTBOX SUBMISSION.json
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [outbox, submission] = process.argv.slice(2);
const name = 'depuis-node';

mkdirSync(join(outbox, 'new'), { recursive: true });
copyFileSync(submission, join(outbox, 'new', `${name}.part`));
renameSync(join(outbox, 'new', `${name}.part`), join(outbox, 'new', `${name}.json`));

const statusFile = join(outbox, 'status', `${name}.json`);
const rejected = join(outbox, 'rejected', `${name}.report.json`);
for (let tries = 0; tries < 300; tries += 1) {
  if (existsSync(rejected)) {
    console.error(readFileSync(rejected, 'utf8'));
    process.exit(2);
  }
  if (existsSync(statusFile)) {
    const status = JSON.parse(readFileSync(statusFile, 'utf8'));
    if (status.done) {
      console.log(JSON.stringify(Object.fromEntries(status.deliveries.map((d) => [d.role, d.transport]))));
      process.exit(0);
    }
  }
  await sleep(100);
}
process.exit(3);
