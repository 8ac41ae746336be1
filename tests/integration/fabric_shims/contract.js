'use strict';
// A contract on the official Node shim that uses each kind of request once, well and badly.

const { Contract } = require('fabric-contract-api');

const text = (bytes) => Buffer.from(bytes).toString('utf8');

async function keys(iterator) {
    const found = [];
    for await (const row of iterator) {
        found.push(row.key);
    }
    return found;
}

class Shelf extends Contract {
    constructor() {
        super('shelf');
    }

    async put(ctx, key, value) {
        await ctx.stub.putState(key, Buffer.from(value));
        ctx.stub.setEvent('put', Buffer.from(key));
    }

    async get(ctx, key) {
        return text(await ctx.stub.getState(key));
    }

    async remove(ctx, key) {
        await ctx.stub.deleteState(key);
    }

    async move(ctx, from, to) {
        const [first] = await Promise.all([ctx.stub.getState(from), ctx.stub.getState(to)]);
        await ctx.stub.putState(to, first);
        await ctx.stub.deleteState(from);
    }

    async fill(ctx, kind, count) {
        for (let number = 0; number < Number(count); number++) {
            const name = String(number).padStart(5, '0');
            const key = ctx.stub.createCompositeKey(kind, [name]);
            await ctx.stub.putState(key, Buffer.from(name));
        }
    }

    async count(ctx, kind) {
        return (await keys(ctx.stub.getStateByPartialCompositeKey(kind, []))).length;
    }

    async range(ctx, start, end) {
        return keys(ctx.stub.getStateByRange(start, end));
    }

    async page(ctx, start, end, size, bookmark) {
        const { iterator, metadata } = await ctx.stub.getStateByRangeWithPagination(
            start, end, Number(size), bookmark);
        const found = [];
        for (let row = await iterator.next(); row.value; row = await iterator.next()) {
            found.push(row.value.key);
            if (row.done) {
                break;
            }
        }
        return { found, fetched: metadata.fetchedRecordsCount, bookmark: metadata.bookmark };
    }

    async search(ctx, query) {
        return keys(ctx.stub.getQueryResult(query));
    }

    async searchPage(ctx, query, size, bookmark) {
        const { iterator, metadata } = await ctx.stub.getQueryResultWithPagination(
            query, Number(size), bookmark);
        const found = [];
        for (let row = await iterator.next(); row.value; row = await iterator.next()) {
            found.push(row.value.key);
            if (row.done) {
                break;
            }
        }
        return { found, bookmark: metadata.bookmark };
    }

    async history(ctx, key) {
        const values = [];
        for await (const change of ctx.stub.getHistoryForKey(key)) {
            values.push(change.isDelete ? null : text(change.value));
        }
        return values;
    }

    async protect(ctx, key, policy) {
        await ctx.stub.setStateValidationParameter(key, Buffer.from(policy));
        return text((await ctx.stub.getStateValidationParameter(key)) || Buffer.from(''));
    }

    async who(ctx) {
        return [ctx.clientIdentity.getMSPID(), ctx.clientIdentity.getAttributeValue('role')];
    }

    async secretSize(ctx) {
        return ctx.stub.getTransient().get('secret').length;
    }

    async callOther(ctx, chaincode, channel, name, argument) {
        const answer = await ctx.stub.invokeChaincode(chaincode, [name, argument], channel);
        return [answer.status, text(answer.payload)];
    }

    async refuse(ctx) {
        throw new Error('come back tomorrow');
    }

    async shout(ctx, size) {
        return 'x'.repeat(Number(size));
    }

    async hang(ctx) {
        await new Promise(() => {});
    }

    async crash(ctx) {
        setImmediate(() => process.exit(1));
        await new Promise(() => {});
    }
}

module.exports.contracts = [Shelf];
