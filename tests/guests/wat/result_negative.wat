;; Does: casemate_call answers -1: a block of 0xffffffff bytes at the address 0xffffffff, whose sum wraps.
;; Must: the result is refused as the guest's fault before memory is reserved for it.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.const -1)))
