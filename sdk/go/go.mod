module github.com/casemate/casemate/sdk/go

go 1.24
