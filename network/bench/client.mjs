// The benchmark's transactions through Fabric's official Gateway SDK for Node, unmodified.
// Arguments: the folder in whose node_modules the SDK is, and a file with one JSON object:
// {endpoints: [host:port], tls_ca, channel, chaincode, function, in_flight,
//  users: [{mspid, certificate, key}], offers: [{user: index, arguments: [text]}]}
// Every user has one of the endpoints. Prints {elapsed_s, cpu_s, placed: [[latency_s, block], ...]}.

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [sdkFolder, task] = process.argv.slice(2);
const require = createRequire(join(resolve(sdkFolder), 'bench.js'));
const grpc = require('@grpc/grpc-js');
const { connect, hash, signers } = require('@hyperledger/fabric-gateway');

const options = JSON.parse(readFileSync(task));
const within = (seconds) => () => ({ deadline: Date.now() + seconds * 1000 });
const seconds = () => Number(process.hrtime.bigint()) / 1e9;

const clients = options.endpoints.map(
    (address) => new grpc.Client(address, grpc.credentials.createSsl(Buffer.from(options.tls_ca))),
);
const gateways = options.users.map((user, index) =>
    connect({
        client: clients[index % clients.length],
        identity: { mspId: user.mspid, credentials: Buffer.from(user.certificate) },
        signer: signers.newPrivateKeySigner(crypto.createPrivateKey(user.key)),
        hash: hash.sha256,
        endorseOptions: within(30),
        submitOptions: within(30),
        commitStatusOptions: within(60),
    }),
);
const contracts = gateways.map((gateway) =>
    gateway.getNetwork(options.channel).getContract(options.chaincode),
);

const waiting = options.offers.values();
const placed = [];

async function worker() {
    for (const offer of waiting) {
        const begun = seconds();
        const commit = await contracts[offer.user].submitAsync(options.function, {
            arguments: offer.arguments,
        });
        const status = await commit.getStatus();
        if (!status.successful) {
            throw new Error(`transaction ${status.transactionId} ended with code ${status.code}`);
        }
        placed.push([seconds() - begun, Number(status.blockNumber)]);
    }
}

const cpuBefore = process.cpuUsage();
const begun = seconds();
try {
    await Promise.all(Array.from({ length: options.in_flight }, worker));
    const elapsed = seconds() - begun;
    const cpu = process.cpuUsage(cpuBefore);
    console.log(
        JSON.stringify({ elapsed_s: elapsed, cpu_s: (cpu.user + cpu.system) / 1e6, placed }),
    );
} finally {
    gateways.forEach((gateway) => gateway.close());
    clients.forEach((client) => client.close());
}
