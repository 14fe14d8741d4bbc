-- Also an organization whose rows were loaded and whose bookkeeping is lost: it is then not assessable, not absent.
select organization from {{ ref('stg_raise__connections') }}
union
select organization from {{ ref('stg_crm_plus__connections') }}
union
select organization from {{ ref('stg_raise__load_audit') }}
union
select organization from {{ ref('stg_crm_plus__load_audit') }}
union
select organization from {{ ref('stg_raise__donors') }}
union
select organization from {{ ref('stg_raise__gifts') }}
union
select organization from {{ ref('stg_raise__recurring_gifts') }}
union
select organization from {{ ref('stg_raise__webhook_logs') }}
union
select organization from {{ ref('stg_crm_plus__contacts') }}
