;; Does: the start function loops for ever, so that instantiation never ends.
;; Must: end at the deadline as a call does; it runs in the worker, never before the fork.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  ;; status 0, content type 1, JSON
  (data (i32.const 16) "\00\01true")
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000000600000010)))
