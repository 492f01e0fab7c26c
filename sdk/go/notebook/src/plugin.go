// Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin.
package main

import (
	"slices"

	casemate "github.com/casemate/casemate/sdk/go"
)

type configuration struct {
	Owner string `json:"owner"`
}

type page struct {
	Page string `json:"page"`
}

type draft struct {
	Page string `json:"page"`
	Text string `json:"text"`
}

type written struct {
	Owner string `json:"owner"`
	Page  string `json:"page"`
}

type text struct {
	Text *string `json:"text"`
}

type erased struct {
	Erased bool `json:"erased"`
}

type pages struct {
	Pages []string `json:"pages"`
}

type now struct {
	Now string `json:"now"`
}

type heard struct {
	Heard int `json:"heard"`
}

var (
	owner = "nobody"
	count int
)

func write(input draft) (written, error) {
	if err := casemate.Set(input.Page, []byte(input.Text)); err != nil {
		return written{}, err
	}
	if err := casemate.Publish("notes.written", page{input.Page}); err != nil {
		return written{}, err
	}
	casemate.Log(casemate.Info, "wrote %s", input.Page)
	return written{owner, input.Page}, nil
}

func read(input page) (text, error) {
	kept, err := casemate.Get(input.Page)
	if err != nil || kept == nil {
		return text{}, err
	}
	found := string(kept)
	return text{&found}, nil
}

func init() {
	casemate.Plugin("notebook", "Notebook", "0.1.0")
	casemate.Init(func(given *configuration) error {
		if given == nil {
			return nil
		}
		if given.Owner == "" {
			return casemate.Fail("no_owner", "somebody must own it")
		}
		owner = given.Owner
		return nil
	})
	casemate.Method("write", write)
	casemate.Method("read", read)
	casemate.Method("erase", func(input page) (erased, error) {
		was, err := casemate.Delete(input.Page)
		return erased{was}, err
	})
	casemate.Method("pages", func(any) (pages, error) {
		keys, _, err := casemate.List("", "", 100)
		return pages{keys}, err
	})
	casemate.Method("now", func(any) (now, error) {
		answer, err := casemate.Call[any, string]("clock.now", nil)
		return now{answer}, err
	})
	casemate.Method("heard", func(any) (heard, error) { return heard{count}, nil })
	casemate.Raw("reverse", func(body []byte) ([]byte, error) {
		slices.Reverse(body)
		return body, nil
	})
	casemate.OnEvent(func(topic string, _ []byte) error {
		casemate.Log(casemate.Info, "heard %s", topic)
		count++
		return nil
	})
}

func main() {}
