// An official Fabric Gateway SDK client against one of our peers. Arguments, as one JSON object:
// {address, tls_ca, mspid, certificate, key, channel, chaincode,
//  evaluate: [function, ...args], submit: [function, ...args]}
// Prints one JSON object: {evaluated, submitted, status: {code, block_number, tx_id},
//  event, rejected} where `rejected` is what the SDK reports for a call the contract refuses.

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const options = JSON.parse(process.argv[2]);
const text = new TextDecoder();

const client = new grpc.Client(
    options.address,
    grpc.credentials.createSsl(readFileSync(options.tls_ca)),
);
const gateway = connect({
    client,
    identity: { mspId: options.mspid, credentials: readFileSync(options.certificate) },
    signer: signers.newPrivateKeySigner(crypto.createPrivateKey(readFileSync(options.key))),
    hash: hash.sha256,
    evaluateOptions: () => ({ deadline: Date.now() + 10000 }),
    endorseOptions: () => ({ deadline: Date.now() + 20000 }),
    submitOptions: () => ({ deadline: Date.now() + 20000 }),
    commitStatusOptions: () => ({ deadline: Date.now() + 30000 }),
});

async function refusal(contract, [name, ...args]) {
    try {
        await contract.submitTransaction(name, ...args);
        return null;
    } catch (error) {
        return { name: error.name, code: error.code, details: error.details ?? [] };
    }
}

async function firstEvent(events, wantedTxId) {
    for await (const event of events) {
        if (event.transactionId === wantedTxId) {
            return { name: event.eventName, block_number: Number(event.blockNumber) };
        }
    }
    return null;
}

try {
    const network = gateway.getNetwork(options.channel);
    const contract = network.getContract(options.chaincode);
    const [evaluateName, ...evaluateArgs] = options.evaluate;
    const [submitName, ...submitArgs] = options.submit;

    const evaluated = text.decode(await contract.evaluateTransaction(evaluateName, ...evaluateArgs));
    const commit = await contract.submitAsync(submitName, { arguments: submitArgs });
    const status = await commit.getStatus();

    const events = await network.getChaincodeEvents(options.chaincode, {
        startBlock: status.blockNumber,
    });
    const event = options.expect_event ? await firstEvent(events, commit.getTransactionId()) : null;
    events.close();

    const blocks = await network.getBlockEvents({ startBlock: BigInt(0) });
    let genesis = null;
    for await (const block of blocks) {
        genesis = Number(block.getHeader().getNumber());
        break;
    }
    blocks.close();

    console.log(
        JSON.stringify({
            evaluated,
            submitted: text.decode(commit.getResult()),
            status: {
                code: status.code,
                successful: status.successful,
                block_number: Number(status.blockNumber),
                tx_id: commit.getTransactionId(),
            },
            event,
            genesis,
            rejected: options.refused ? await refusal(contract, options.refused) : null,
        }),
    );
} finally {
    gateway.close();
    client.close();
}
