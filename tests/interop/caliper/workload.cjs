// One call of the contract per transaction: `put` writes a key of its own, `get` reads one.
const { WorkloadModuleBase } = require('@hyperledger/caliper-core');

class KeyWorkload extends WorkloadModuleBase {
    count = 0;

    async submitTransaction() {
        const { contract, verb, keys } = this.roundArguments;
        const key = `caliper-${this.workerIndex}-${this.count++ % keys}`;
        await this.sutAdapter.sendRequests({
            contractId: contract,
            contractFunction: verb,
            contractArguments: verb === 'put' ? [key, `value-${this.count}`] : [key],
            readOnly: verb === 'get',
        });
    }
}

module.exports.createWorkloadModule = () => new KeyWorkload();
