// FHIR -> C-CDA with @medplum/ccda: node run_medplum.mjs BUNDLE.json OUT.xml ROUNDS, result as JSON on standard output.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// The library names a class that Node 20 does not have, and never uses it here.
globalThis.WebSocket ??= class {};
const { convertFhirToCcda, convertCcdaToXml } = createRequire(join(process.cwd(), 'package.json'))('@medplum/ccda');

const [, , source, target, rounds] = process.argv;
const bundle = JSON.parse(readFileSync(source, 'utf8'));
const convert = () => convertCcdaToXml(convertFhirToCcda(bundle));

let xml = '';
for (let warm = 0; warm < rounds; warm++) xml = convert();
const times = [];
for (let round = 0; round < rounds; round++) {
  const start = process.cpuUsage();
  for (let turn = 0; turn < 10; turn++) xml = convert();
  const spent = process.cpuUsage(start);
  times.push((spent.user + spent.system) / 1e4);
}
writeFileSync(target, xml);
console.log(JSON.stringify({ best_ms: Math.min(...times), median_ms: times.sort((a, b) => a - b)[times.length >> 1] }));
