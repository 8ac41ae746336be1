// An unmodified Fabric Gateway SDK client against one of our peers. Argument, one JSON object:
// {address, tls_ca, mspid, certificate, key, channel, chaincode,
//  evaluate: [function, ...args], submit: [function, ...args], refused: [function, ...args]}
// Prints one JSON object: {evaluated, submitted, status: {code, successful, block_number, tx_id},
//  event: {name, payload, block_number}, blocks: [number, ...], filtered: [{number, tx_ids}, ...],
//  rejected: failure, failures: {case: failure}}, a failure being {name, code, message, details}.
// `rejected` is what the SDK reports for the call that the contract refuses, `failures` what it
// reports for calls that no contract ever sees.

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const options = JSON.parse(process.argv[2]);
const text = new TextDecoder();
const deadline = (seconds) => () => ({ deadline: Date.now() + seconds * 1000 });

const client = new grpc.Client(
    options.address,
    grpc.credentials.createSsl(readFileSync(options.tls_ca)),
);
const gateway = connect({
    client,
    identity: { mspId: options.mspid, credentials: readFileSync(options.certificate) },
    signer: signers.newPrivateKeySigner(crypto.createPrivateKey(readFileSync(options.key))),
    hash: hash.sha256,
    evaluateOptions: deadline(10),
    endorseOptions: deadline(20),
    submitOptions: deadline(20),
    commitStatusOptions: deadline(30),
});

async function failureOf(call) {
    try {
        await call;
    } catch (error) {
        const { code, message, details } = error;
        return { name: error.constructor.name, code, message, details };
    }
    return null;
}

async function failures([name, ...args]) {
    const network = gateway.getNetwork(options.channel);
    const nothing = network.getContract('nothing');
    const elsewhere = gateway.getNetwork('elsewhere').getContract(options.chaincode);
    const nobody = { arguments: args, endorsingOrganizations: ['NobodyMSP'] };
    return {
        evaluate_unknown_chaincode: await failureOf(nothing.evaluateTransaction(name, ...args)),
        submit_unknown_chaincode: await failureOf(nothing.submitTransaction(name, ...args)),
        evaluate_unknown_channel: await failureOf(elsewhere.evaluateTransaction(name, ...args)),
        submit_unknown_organization: await failureOf(
            network.getContract(options.chaincode).submit(name, nobody),
        ),
    };
}

async function eventOf(network, txId, startBlock) {
    const events = await network.getChaincodeEvents(options.chaincode, { startBlock });
    try {
        for await (const event of events) {
            if (event.transactionId === txId) {
                return {
                    name: event.eventName,
                    payload: JSON.parse(text.decode(event.payload)),
                    block_number: Number(event.blockNumber),
                };
            }
        }
    } finally {
        events.close();
    }
    return null;
}

async function firstBlocks(network, count) {
    const blocks = await network.getBlockEvents({ startBlock: 0n });
    const numbers = [];
    try {
        for await (const block of blocks) {
            numbers.push(Number(block.getHeader().getNumber()));
            if (numbers.length === count) {
                break;
            }
        }
    } finally {
        blocks.close();
    }
    return numbers;
}

async function filteredBlock(network, startBlock) {
    const blocks = await network.getFilteredBlockEvents({ startBlock });
    try {
        for await (const block of blocks) {
            const txIds = block.getFilteredTransactionsList().map((tx) => tx.getTxid());
            return { number: Number(block.getNumber()), tx_ids: txIds };
        }
    } finally {
        blocks.close();
    }
    return null;
}

try {
    const network = gateway.getNetwork(options.channel);
    const contract = network.getContract(options.chaincode);
    const [evaluateName, ...evaluateArgs] = options.evaluate;
    const [submitName, ...submitArgs] = options.submit;

    const evaluated = await contract.evaluateTransaction(evaluateName, ...evaluateArgs);
    const commit = await contract.submitAsync(submitName, { arguments: submitArgs });
    const status = await commit.getStatus();

    console.log(
        JSON.stringify({
            evaluated: JSON.parse(text.decode(evaluated)),
            submitted: JSON.parse(text.decode(commit.getResult())),
            status: {
                code: status.code,
                successful: status.successful,
                block_number: Number(status.blockNumber),
                tx_id: commit.getTransactionId(),
            },
            event: await eventOf(network, commit.getTransactionId(), status.blockNumber),
            blocks: await firstBlocks(network, 3),
            filtered: await filteredBlock(network, status.blockNumber),
            rejected: await failureOf(contract.submitTransaction(...options.refused)),
            failures: await failures(options.refused),
        }),
    );
} finally {
    gateway.close();
    client.close();
}
