;; Does: loads from the last address there can be, far behind its one page.
;; Must: end as the trap "out of bounds memory access", the guest's fault; the next call gets a fresh
;; instance.
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
    (i64.load (i32.const -8))))
