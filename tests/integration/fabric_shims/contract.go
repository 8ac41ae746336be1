// A contract on the official Go shim that uses each kind of request once, well and badly.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

type shelf struct{}

func (shelf) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (shelf) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	payload, err := run(stub, strings.TrimPrefix(name, "shelf:"), args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

func run(stub shim.ChaincodeStubInterface, name string, args []string) ([]byte, error) {
	switch name {
	case "put":
		if err := stub.PutState(args[0], []byte(args[1])); err != nil {
			return nil, err
		}
		return nil, stub.SetEvent("put", []byte(args[0]))
	case "get":
		return stub.GetState(args[0])
	case "remove":
		return nil, stub.DelState(args[0])
	case "move":
		values, err := stub.GetMultipleStates(args[0], args[1])
		if err != nil {
			return nil, err
		}
		stub.StartWriteBatch()
		if err := stub.PutState(args[1], values[0]); err != nil {
			return nil, err
		}
		if err := stub.DelState(args[0]); err != nil {
			return nil, err
		}
		return nil, stub.FinishWriteBatch()
	case "fill":
		count, _ := strconv.Atoi(args[1])
		stub.StartWriteBatch()
		for number := 0; number < count; number++ {
			text := fmt.Sprintf("%05d", number)
			key, err := stub.CreateCompositeKey(args[0], []string{text})
			if err != nil {
				return nil, err
			}
			if err := stub.PutState(key, []byte(text)); err != nil {
				return nil, err
			}
		}
		return nil, stub.FinishWriteBatch()
	case "count":
		rows, err := stub.GetStateByPartialCompositeKey(args[0], nil)
		found, err := keys(rows, err)
		return []byte(strconv.Itoa(len(found))), err
	case "range":
		return list(keys(stub.GetStateByRange(args[0], args[1])))
	case "page":
		size, _ := strconv.Atoi(args[2])
		rows, page, err := stub.GetStateByRangeWithPagination(args[0], args[1], int32(size), args[3])
		found, err := keys(rows, err)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"found": found, "fetched": page.FetchedRecordsCount, "bookmark": page.Bookmark})
	case "search":
		return list(keys(stub.GetQueryResult(args[0])))
	case "searchPage":
		size, _ := strconv.Atoi(args[1])
		rows, page, err := stub.GetQueryResultWithPagination(args[0], int32(size), args[2])
		found, err := keys(rows, err)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"found": found, "bookmark": page.Bookmark})
	case "history":
		rows, err := stub.GetHistoryForKey(args[0])
		if err != nil {
			return nil, err
		}
		values := []any{}
		for rows.HasNext() {
			change, err := rows.Next()
			if err != nil {
				return nil, err
			}
			if change.IsDelete {
				values = append(values, nil)
			} else {
				values = append(values, string(change.Value))
			}
		}
		return json.Marshal(values)
	case "protect":
		if err := stub.SetStateValidationParameter(args[0], []byte(args[1])); err != nil {
			return nil, err
		}
		return stub.GetStateValidationParameter(args[0])
	case "who":
		mspid, err := cid.GetMSPID(stub)
		if err != nil {
			return nil, err
		}
		role, _, err := cid.GetAttributeValue(stub, "role")
		return list([]string{mspid, role}, err)
	case "secretSize":
		transient, err := stub.GetTransient()
		return []byte(strconv.Itoa(len(transient["secret"]))), err
	case "callOther":
		answer := stub.InvokeChaincode(args[0], [][]byte{[]byte(args[2]), []byte(args[3])}, args[1])
		if answer.Status >= 400 {
			return nil, fmt.Errorf("%s", answer.Message)
		}
		return json.Marshal([]any{answer.Status, string(answer.Payload)})
	case "refuse":
		return nil, fmt.Errorf("come back tomorrow")
	case "shout":
		size, _ := strconv.Atoi(args[0])
		return []byte(strings.Repeat("x", size)), nil
	case "hang":
		select {}
	case "crash":
		os.Exit(1)
	}
	return nil, fmt.Errorf("there is no function %s", name)
}

func keys(rows shim.StateQueryIteratorInterface, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []string{}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		found = append(found, row.Key)
	}
	return found, nil
}

func list(found []string, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}

func read(variable string) []byte {
	content, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		panic(err)
	}
	return content
}

func main() {
	address := os.Getenv("CHAINCODE_SERVER_ADDRESS")
	var err error
	if address == "" {
		err = shim.Start(shelf{})
	} else {
		server := &shim.ChaincodeServer{
			CCID:    os.Getenv("CHAINCODE_ID"),
			Address: address,
			CC:      shelf{},
			TLSProps: shim.TLSProperties{
				Key: read("TLS_KEY"), Cert: read("TLS_CERTIFICATE"), ClientCACerts: read("TLS_CA"),
			},
		}
		err = server.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
