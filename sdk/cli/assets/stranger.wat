;; Wants a function of the host system that no plugin gets.
(module
  (import "env" "system" (func $system (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "rm -rf /\00")
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32) (i32.const 1024))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.extend_i32_u (call $system (i32.const 0)))))
