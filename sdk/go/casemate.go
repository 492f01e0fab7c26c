// Package casemate is what a plugin for Casemate in Go needs: the guest ABI casemate-1, in a WASI reactor.
//
//	func init() {
//		casemate.Plugin("greeter", "Greeter", "0.1.0")
//		casemate.Method("greet", greet)
//	}
//
//	func main() {}
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o greeter.wasm .
//
// SPDX-License-Identifier: Apache-2.0
package casemate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Error is what a method answers instead of a value, and what a host call can fail with.
type Error struct {
	// Code is for programs: a short name in snake_case.
	Code string `json:"code"`
	// Message is for people.
	Message string `json:"message"`
	// Retryable says whether the same call may succeed later.
	Retryable bool `json:"retryable"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Fail makes an Error.
func Fail(code, format string, arguments ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, arguments...)}
}

type method struct {
	isRaw bool
	call  func(isJSON bool, body []byte) (reply, error)
}

type reply struct {
	isJSON bool
	body   []byte
}

var (
	id, name, version string
	methods           = map[string]method{}
	start             func(configuration []byte) error
	onEvent           func(topic string, body []byte) error
)

// Plugin says what the module is: once, in an init function.
func Plugin(pluginID, pluginName, pluginVersion string) {
	id, name, version = pluginID, pluginName, pluginVersion
}

// Method adds a method on JSON: its input and its answer are what encoding/json makes of them.
func Method[In, Out any](methodName string, call func(In) (Out, error)) {
	methods[methodName] = method{call: func(isJSON bool, body []byte) (reply, error) {
		var input In
		if !isJSON {
			return reply{}, Fail("bad_input", "method `%s`: its input is JSON", methodName)
		}
		if err := json.Unmarshal(body, &input); err != nil {
			return reply{}, Fail("bad_input", "method `%s`: %v", methodName, err)
		}
		output, err := call(input)
		if err != nil {
			return reply{}, err
		}
		text, err := encode(output)
		if err != nil {
			return reply{}, Fail("bad_output", "method `%s`: %v", methodName, err)
		}
		return reply{isJSON: true, body: text}, nil
	}}
}

// Raw adds a method on bytes.
func Raw(methodName string, call func(body []byte) ([]byte, error)) {
	methods[methodName] = method{isRaw: true, call: func(_ bool, body []byte) (reply, error) {
		answer, err := call(body)
		return reply{body: answer}, err
	}}
}

// Init takes the plugin's configuration, once and before everything else. Without one it is null.
func Init[Configuration any](take func(Configuration) error) {
	start = func(text []byte) error {
		var configuration Configuration
		if err := json.Unmarshal(text, &configuration); err != nil {
			return Fail("bad_config", "configuration: %v", err)
		}
		return take(configuration)
	}
}

// OnEvent takes events of the topics that the manifest's subscriptions name.
func OnEvent(take func(topic string, body []byte) error) { onEvent = take }

// Call asks a function of the host's, with JSON both ways.
func Call[In, Out any](hostMethod string, input In) (Out, error) {
	var output Out
	body, err := encode(input)
	if err != nil {
		return output, Fail("bad_input", "host call `%s`: %v", hostMethod, err)
	}
	answer, err := ask(hostMethod, true, body)
	if err != nil {
		return output, err
	}
	if !answer.isJSON {
		return output, Fail("bad_reply", "host call `%s`: the answer is bytes, not JSON", hostMethod)
	}
	if err := json.Unmarshal(answer.body, &output); err != nil {
		return output, Fail("bad_reply", "host call `%s`: %v", hostMethod, err)
	}
	return output, nil
}

// CallRaw asks a function of the host's, with bytes both ways.
func CallRaw(hostMethod string, body []byte) ([]byte, error) {
	answer, err := ask(hostMethod, false, body)
	return answer.body, err
}

// Publish sends an event to whoever has subscribed to its topic.
func Publish(topic string, value any) error {
	body, err := encode(value)
	if err != nil {
		return Fail("bad_input", "event `%s`: %v", topic, err)
	}
	_, err = ask("events.publish", false, join(topic, true, body))
	return err
}

// Level is how much a line of the log matters.
type Level int32

// The levels.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Failure
)

// Log writes a line into the host's log.
func Log(level Level, format string, arguments ...any) {
	logLine(level, fmt.Sprintf(format, arguments...))
}

// Get reads what the host keeps for this plugin under a key; nil where there is nothing.
func Get(key string) ([]byte, error) {
	answer, err := Call[keyed, struct {
		Value *[]byte `json:"value"`
	}]("kv.get", keyed{key})
	if err != nil || answer.Value == nil {
		return nil, err
	}
	return *answer.Value, nil
}

// Set has the host keep a value.
func Set(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	_, err := Call[any, any]("kv.set", struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}{key, value})
	return err
}

// Delete has the host forget a value, and says whether there was one.
func Delete(key string) (bool, error) {
	answer, err := Call[keyed, struct {
		Deleted bool `json:"deleted"`
	}]("kv.delete", keyed{key})
	return answer.Deleted, err
}

// List names the keys that begin with prefix and come after `after`, which may be empty; at most limit, and whether
// there are more.
func List(prefix, after string, limit int) ([]string, bool, error) {
	var from *string
	if after != "" {
		from = &after
	}
	answer, err := Call[any, struct {
		Keys []string `json:"keys"`
		More bool     `json:"more"`
	}]("kv.list", struct {
		Prefix string  `json:"prefix"`
		After  *string `json:"after"`
		Limit  int     `json:"limit"`
	}{prefix, from, limit})
	return answer.Keys, answer.More, err
}

type keyed struct {
	Key string `json:"key"`
}

// encode writes JSON as other languages do, without escapes for HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// describe is the plugin's descriptor.
func describe() []byte {
	type row struct {
		Name    string `json:"name"`
		Content string `json:"content"`
	}
	rows := []row{}
	for _, methodName := range names() {
		content := "json"
		if methods[methodName].isRaw {
			content = "raw"
		}
		rows = append(rows, row{methodName, content})
	}
	text, _ := encode(struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Methods []row  `json:"methods"`
	}{id, name, version, rows})
	return text
}

func names() []string {
	all := make([]string, 0, len(methods))
	for methodName := range methods {
		all = append(all, methodName)
	}
	sort.Strings(all)
	return all
}

func dispatch(request []byte) (reply, error) {
	methodName, isJSON, body, err := split(request)
	if err != nil {
		return reply{}, err
	}
	found, ok := methods[methodName]
	if !ok {
		known := "`" + strings.Join(names(), "`, `") + "`"
		return reply{}, Fail("unknown_method", "plugin `%s` has no method `%s`; it has %s", id, methodName, known)
	}
	return found.call(isJSON, body)
}

// join writes a request or an event: the length of its name, its name, its content type, its body.
func join(methodName string, isJSON bool, body []byte) []byte {
	request := make([]byte, 0, 3+len(methodName)+len(body))
	request = append(request, byte(len(methodName)), byte(len(methodName)>>8))
	request = append(request, methodName...)
	request = append(request, flag(isJSON))
	return append(request, body...)
}

func split(request []byte) (string, bool, []byte, error) {
	if len(request) < 3 {
		return "", false, nil, Fail("bad_request", "the request is cut off")
	}
	length := int(request[0]) | int(request[1])<<8
	if length+3 > len(request) {
		return "", false, nil, Fail("bad_request", "the request is cut off")
	}
	return string(request[2 : 2+length]), request[2+length] == 1, request[3+length:], nil
}

// written is a reply as it crosses to the host.
func written(answer reply, err error) []byte {
	if err == nil {
		return append([]byte{0, flag(answer.isJSON)}, answer.body...)
	}
	var known *Error
	if !errors.As(err, &known) {
		known = &Error{Code: "failed", Message: err.Error()}
	}
	text, _ := encode(known)
	return append([]byte{1, 1}, text...)
}

func flag(is bool) byte {
	if is {
		return 1
	}
	return 0
}
