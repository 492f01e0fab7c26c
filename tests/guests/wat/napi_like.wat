;; Does: looks like a Node.js addon compiled to WebAssembly: its functions are made through env.napi_*.
;; Must: loading is refused, naming Node-API and saying that such an addon needs Node.js.
(module
  (import "env" "napi_create_function" (func $create (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "napi_set_named_property" (func $set (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "greet")
  (func (export "napi_register_wasm_v1") (param $env i32) (param $exports i32) (result i32)
    (drop
      (call $create
        (local.get $env) (i32.const 16) (i32.const 5) (i32.const 1) (i32.const 0) (i32.const 64)))
    (drop
      (call $set (local.get $env) (local.get $exports) (i32.const 16) (i32.load (i32.const 64))))
    (local.get $exports)))
