//go:build wasip1

// A plugin of Signal K in its buffer dialect, as TinyGo makes them: keeps a log book in its own files.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o signalk_go.wasm .
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"unsafe"
)

//go:wasmimport env sk_set_status
func skSetStatus(text unsafe.Pointer, length uint32)

//go:wasmimport env sk_debug
func skDebug(text unsafe.Pointer, length uint32)

//go:wasmimport env sk_handle_message
func skHandleMessage(delta unsafe.Pointer, length uint32, version int32)

const book = "/data/book.log"

// Blocks that the host holds, so that nothing collects them.
var blocks = map[uint32][]byte{}

func main() {}

func tell(call func(unsafe.Pointer, uint32), text string) {
	call(unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

func given(address unsafe.Pointer, length uint32) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(address), length)...)
}

// put writes what fits into the room that the host gives.
func put(text string, room unsafe.Pointer, most uint32) int32 {
	return int32(copy(unsafe.Slice((*byte)(room), most), text))
}

//go:wasmexport allocate
func allocate(length uint32) uint32 {
	block := make([]byte, length+1)
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
	blocks[address] = block
	return address
}

//go:wasmexport deallocate
func deallocate(address, length uint32) { delete(blocks, address) }

//go:wasmexport plugin_id
func pluginID(room unsafe.Pointer, most uint32) int32 { return put("log-book", room, most) }

//go:wasmexport plugin_name
func pluginName(room unsafe.Pointer, most uint32) int32 { return put("Log book", room, most) }

//go:wasmexport plugin_schema
func pluginSchema(room unsafe.Pointer, most uint32) int32 { return put(`{"type":"object"}`, room, most) }

//go:wasmexport plugin_start
func pluginStart(config unsafe.Pointer, length uint32) int32 {
	if !json.Valid(given(config, length)) {
		return 1
	}
	for _, folder := range []string{"/data", "/config", "/tmp"} {
		if _, err := os.Stat(folder); err != nil {
			tell(skDebug, err.Error())
			return 2
		}
	}
	tell(skSetStatus, "keeping the book")
	return 0
}

//go:wasmexport plugin_stop
func pluginStop() int32 {
	tell(skSetStatus, "closed the book")
	return 0
}

//go:wasmexport delta_handler
func deltaHandler(delta unsafe.Pointer, length uint32) {
	file, err := os.OpenFile(book, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(append(given(delta, length), '\n'))
	}
	if err != nil {
		tell(skDebug, err.Error())
		return
	}
	file.Close()
	lines, _ := entries()
	said := fmt.Sprintf(`{"updates":[{"values":[{"path":"logbook.entries","value":%d}]}]}`, len(lines))
	skHandleMessage(unsafe.Pointer(unsafe.StringData(said)), uint32(len(said)), 1)
}

func entries() ([]json.RawMessage, error) {
	lines := []json.RawMessage{}
	file, err := os.Open(book)
	if err != nil {
		return lines, err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		lines = append(lines, json.RawMessage(append([]byte(nil), scanner.Bytes()...)))
	}
	return lines, scanner.Err()
}

//go:wasmexport http_endpoints
func httpEndpoints(room unsafe.Pointer, most uint32) int32 {
	return put(`[{"method":"GET","path":"/api/book","handler":"http_book"},{"method":"GET","path":"/api/steal","handler":"http_steal"}]`, room, most)
}

//go:wasmexport http_book
func httpBook(request unsafe.Pointer, length uint32, room unsafe.Pointer, most uint32) int32 {
	lines, _ := entries()
	return answer(lines, room, most)
}

// What is outside of its own files is not there.
//
//go:wasmexport http_steal
func httpSteal(request unsafe.Pointer, length uint32, room unsafe.Pointer, most uint32) int32 {
	said := map[string]string{}
	for _, path := range []string{"/etc/passwd", "/data/../../etc/passwd", "/proc/self/maps"} {
		if _, err := os.ReadFile(path); err != nil {
			said[path] = "no"
		} else {
			said[path] = "yes"
		}
	}
	return answer(said, room, most)
}

func answer(body any, room unsafe.Pointer, most uint32) int32 {
	text, _ := json.Marshal(map[string]any{"statusCode": 200, "headers": map[string]string{}, "body": body})
	return put(string(text), room, most)
}
