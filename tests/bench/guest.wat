;; Does: what its method's first letter says.
;;   echo    answers the body of the request
;;   trap    traps
;;   loop    never ends
;;   meet…   asks the host what it was asked itself, and answers the host's answer
;;   sieve   counts the primes below 61,440 forty times; answers how many in four bytes
;; Must: be as small as a plugin can be, so that what is measured is what stands around it.
(module
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
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
    (if (i32.eq (local.get $letter) (i32.const 0x6d))
      (then (return (call $host_call (local.get $ptr) (local.get $len)))))
    (if (i32.eq (local.get $letter) (i32.const 0x73)) (then (return (call $sieve (local.get $ptr)))))
    ;; The status byte goes where the last byte of the method was.
    (local.set $reply (i32.add (local.get $ptr) (i32.add (local.get $method) (i32.const 1))))
    (i32.store8 (local.get $reply) (i32.const 0))
    (call $pack (local.get $reply) (i32.sub (local.get $len) (i32.add (local.get $method) (i32.const 1)))))

  (func $pack (param $address i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $length)) (i64.const 32))
      (i64.extend_i32_u (local.get $address))))

  ;; A byte a number, from address 4096 to the end of the memory: 0 may be prime.
  (func $sieve (param $reply i32) (result i64)
    (local $rounds i32)
    (local $number i32)
    (local $multiple i32)
    (local $primes i32)
    (local.set $rounds (i32.const 40))
    (loop $round
      (memory.fill (i32.const 4096) (i32.const 0) (i32.const 61440))
      (local.set $primes (i32.const 0))
      (local.set $number (i32.const 2))
      (loop $next
        (if (i32.eqz (i32.load8_u offset=4096 (local.get $number)))
          (then
            (local.set $primes (i32.add (local.get $primes) (i32.const 1)))
            (local.set $multiple (i32.shl (local.get $number) (i32.const 1)))
            (block $done
              (loop $strike
                (br_if $done (i32.ge_u (local.get $multiple) (i32.const 61440)))
                (i32.store8 offset=4096 (local.get $multiple) (i32.const 1))
                (local.set $multiple (i32.add (local.get $multiple) (local.get $number)))
                (br $strike)))))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $number) (i32.const 61440))))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $round (local.get $rounds)))
    ;; Status and content type, then the number.
    (i32.store16 (local.get $reply) (i32.const 0))
    (i32.store offset=2 (local.get $reply) (local.get $primes))
    (call $pack (local.get $reply) (i32.const 6))))
