module signalk-go

go 1.24
