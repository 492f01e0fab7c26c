// Greets.
package main

import casemate "github.com/casemate/casemate/sdk/go"

type somebody struct {
	Name string `json:"name"`
}

type greeting struct {
	Greeting string `json:"greeting"`
}

func greet(input somebody) (greeting, error) {
	if input.Name == "" {
		return greeting{}, casemate.Fail("no_name", "there is nobody to greet")
	}
	casemate.Log(casemate.Info, "greeting %s", input.Name)
	return greeting{"Hello, " + input.Name + "!"}, nil
}

func init() {
	casemate.Plugin("{{name}}", "{{name}}", "0.1.0")
	casemate.Method("greet", greet)
}

func main() {}
