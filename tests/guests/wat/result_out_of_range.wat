;; Does: casemate_call answers a block that begins 8 bytes before the end of the memory and has 16.
;; Must: the result is refused as the guest's fault; no byte of it is read.
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
    (i64.or
      (i64.const 0x0000001000000000)
      (i64.extend_i32_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 8))))))
