//go:build wasip1

package casemate

import (
	"encoding/json"
	"unsafe"
)

//go:wasmimport casemate host_call
func importHostCall(request unsafe.Pointer, length uint32) uint64

//go:wasmimport casemate log
func importLog(level int32, line unsafe.Pointer, length uint32)

//go:wasmimport casemate cancelled
func importCancelled() int32

// Blocks that the host holds, so that nothing collects them.
var blocks = map[uint32][]byte{}

func give(block []byte) uint64 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
	blocks[address] = block
	return uint64(len(block))<<32 | uint64(address)
}

// take is a block that came from the host, which is ours from then on.
func take(address, length uint32) []byte {
	block := blocks[address]
	delete(blocks, address)
	return block[:length]
}

//go:wasmexport casemate_abi
func exportABI() int32 { return 1 }

//go:wasmexport casemate_alloc
func exportAlloc(size, align uint32) uint32 {
	// One byte more, so that every block has an address of its own.
	return uint32(give(make([]byte, size+1)))
}

//go:wasmexport casemate_free
func exportFree(address, size, align uint32) { delete(blocks, address) }

//go:wasmexport casemate_describe
func exportDescribe() uint64 { return give(written(reply{isJSON: true, body: describe()}, nil)) }

//go:wasmexport casemate_init
func exportInit(address, length uint32) uint64 {
	configuration := take(address, length)
	if len(configuration) == 0 {
		configuration = []byte("null")
	}
	var err error
	if start != nil {
		err = start(configuration)
	}
	return give(written(reply{isJSON: true, body: []byte("null")}, err))
}

//go:wasmexport casemate_call
func exportCall(address, length uint32) uint64 {
	return give(written(dispatch(take(address, length))))
}

//go:wasmexport casemate_event
func exportEvent(address, length uint32) int32 {
	topic, _, body, err := split(take(address, length))
	if err == nil && onEvent != nil {
		err = onEvent(topic, body)
	}
	if err != nil || onEvent == nil {
		return 1
	}
	return 0
}

func ask(hostMethod string, isJSON bool, body []byte) (reply, error) {
	request := join(hostMethod, isJSON, body)
	packed := importHostCall(unsafe.Pointer(unsafe.SliceData(request)), uint32(len(request)))
	answer := take(uint32(packed), uint32(packed>>32))
	if len(answer) < 2 {
		return reply{}, Fail("bad_reply", "the host's reply is cut off")
	}
	if answer[0] == 1 {
		failure := &Error{}
		if err := json.Unmarshal(answer[2:], failure); err != nil {
			return reply{}, Fail("bad_reply", "the host's error cannot be read: %v", err)
		}
		return reply{}, failure
	}
	return reply{isJSON: answer[1] == 1, body: answer[2:]}, nil
}

func logLine(level Level, line string) {
	importLog(int32(level), unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}

// Cancelled says whether the running call is over its deadline.
func Cancelled() bool { return importCancelled() != 0 }
