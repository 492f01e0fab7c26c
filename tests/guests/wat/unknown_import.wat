;; Does: imports env.mystery, which nobody supplies.
;; Must: loading is refused, naming `env.mystery` and its type.
(module
  (import "env" "mystery" (func $mystery (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.extend_i32_u (call $mystery (local.get $len)))))
