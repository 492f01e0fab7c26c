;; Does: looks like what emscripten makes for its JavaScript glue: env.emscripten_*, and the one-letter names
;; of a minified build.
;; Must: loading is refused, naming emscripten and saying that a standalone build is needed.
(module
  (import "env" "emscripten_resize_heap" (func $resize (param i32) (result i32)))
  (import "env" "_emscripten_memcpy_js" (func $memcpy (param i32 i32 i32)))
  (import "a" "a" (func $a (param i32 i32 i32 i32)))
  (import "a" "b" (func $b (param i32) (result i32)))
  (memory (export "memory") 256 256)
  (table (export "__indirect_function_table") 1 funcref)
  (func (export "__wasm_call_ctors"))
  (func (export "main") (param $argc i32) (param $argv i32) (result i32)
    (call $resize (i32.const 1))))
