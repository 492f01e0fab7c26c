;; Does: calls through a table element behind the table's end.
;; Must: end as the trap "undefined element (out of bounds table access)", the guest's fault; the next call
;; gets a fresh instance.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (type $answer (func (result i64)))
  (table 4 funcref)
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (call_indirect (type $answer) (i32.const 4))))
