module notebook

go 1.24

require github.com/casemate/casemate/sdk/go v0.0.0

replace github.com/casemate/casemate/sdk/go => ../
