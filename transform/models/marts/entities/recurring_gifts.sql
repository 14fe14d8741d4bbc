-- Raise schedules for reporting, deleted and test-mode ones included.
{{ config(materialized='maintained_table') }}
select
    schedules.organization,
    schedules.recurring_gift_id,
    schedules.donor_id,
    schedules.amount,
    facts.currency,
    {{ clean_text('schedules.formatted_frequency') }} as frequency,
    schedules.frequency as frequency_code,
    facts.payments_per_year,
    {{ clean_text('schedules.status_text') }} as status,
    schedules.status as status_code,
    facts.state,
    facts.is_ended,
    schedules.has_payment_failed,
    schedules.start_date,
    schedules.next_charge_date,
    schedules.successful_cycles,
    schedules.total as total_amount,
    schedules.created_at,
    schedules.modified_at,
    coalesce(schedules.donor_cover_costs, false) as donor_covers_costs,
    {{ clean_text('schedules.payment_info') }} as payment_info,
    {{ clean_text('schedules.gateway_name') }} as gateway,
    case when expectations.campaign_count = 1 then expectations.campaign_id else schedules.campaign_id end as campaign_id,
    {{ clean_text('coalesce(expectations.campaign_name, schedules.campaign_name)') }} as campaign,
    schedules.segment_id,
    {{ clean_text('schedules.segment_name') }} as segment,
    {{ clean_text('schedules.segment_code') }} as segment_code,
    schedules.is_anonymous,
    {{ clean_text('schedules.crm_key') }} as crm_key,
    recon.crm_id,
    recon.status as recon_status,
    recon.crm_url,
    schedules.is_test_mode,
    schedules.is_deleted,
    schedules.deleted_at
from {{ ref('stg_raise__recurring_gifts') }} as schedules
left join {{ ref('int_raise__schedule_facts') }} as facts
    on
        schedules.organization = facts.organization
        and schedules.recurring_gift_id = facts.recurring_gift_id
left join {{ ref('recon_recurring_gifts') }} as recon
    on
        schedules.organization = recon.organization
        and schedules.recurring_gift_id = recon.raise_id
left join {{ ref('int_raise__giving_expectations') }} as expectations
    on
        schedules.organization = expectations.organization
        and schedules.recurring_gift_id = expectations.record_id
        and expectations.entity = 'recurring_gift'
