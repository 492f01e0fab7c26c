;; Does: what its method's first letter says. `echo`: answers the body of the request. `trap`: traps. `loop`: never ends.
;; Must: be as small as a plugin can be, so that what is measured is what stands around it.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; One block at a time: the request, whose end is the reply.
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32) (i32.const 16))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $method i32)
    (local $letter i32)
    (local $reply i32)
    (local.set $method (i32.load16_u (local.get $ptr)))
    (local.set $letter (i32.load8_u offset=2 (local.get $ptr)))
    (if (i32.eq (local.get $letter) (i32.const 0x74)) (then (unreachable)))
    (if (i32.eq (local.get $letter) (i32.const 0x6c)) (then (loop $again (br $again))))
    ;; The status byte goes where the last byte of the method was.
    (local.set $reply (i32.add (local.get $ptr) (i32.add (local.get $method) (i32.const 1))))
    (i32.store8 (local.get $reply) (i32.const 0))
    (i64.or
      (i64.shl
        (i64.extend_i32_u (i32.sub (local.get $len) (i32.add (local.get $method) (i32.const 1))))
        (i64.const 32))
      (i64.extend_i32_u (local.get $reply)))))
